import { CronExpressionParser } from 'cron-parser';
import { momentsOf, type OffsetAt } from './wall-clock.ts';

/** The first moment after another one at which a cron expression is due; undefined where there is none in its reach. */
export type NextMoment = (after: number) => number | undefined;

const ALIASES = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@hourly']);
/** Around this long before and after a moment the clock may show the times of the moment. */
const NEAR_MS = 3 * 3_600_000;

/**
 * Reads a cron expression by a zone's clock. The library is asked in UTC, where no hour is skipped or repeated, and what it
 * says is read on the zone's clock here: by itself it leaves out a day in zones that skip midnight (docs/decisions/0024).
 * An hour that is repeated counts twice where the expression takes every hour (`*`), so that it keeps its distance, and
 * once where it names hours.
 * @throws Error that says what is wrong with the expression
 */
export function readCron(expression: string, offsetAt: OffsetAt): NextMoment {
  const times = CronExpressionParser.parse(wellFormed(expression), { tz: 'UTC' });
  const { hour } = times.fields;
  const takesEveryHour = hour.values.length === 24;

  function firstAfter(after: number, offset: number): number | undefined {
    times.reset(new Date(after + offset));
    for (;;) {
      const wall = times.next().getTime();
      const moments = momentsOf(wall, offsetAt);
      const taken = takesEveryHour ? moments : moments.slice(0, 1);
      const moment = taken.find((found) => found > after);
      if (moment !== undefined) return moment;
    }
  }

  return (after) => {
    // Where the clock is changed nearby, the next time on it may be one that it shows before, or after, the change.
    const offsets = new Set([after - NEAR_MS, after, after + NEAR_MS].map(offsetAt));
    try {
      const found = [...offsets].flatMap((offset) => firstAfter(after, offset) ?? []);
      return found.length > 0 ? Math.min(...found) : undefined;
    } catch {
      // The library gives up after some thousand months without a match: there is no such day.
      return undefined;
    }
  };
}

/** The library fills in fields that are missing, and draws times at random for H: each process would draw others. */
function wellFormed(expression: string): string {
  const fields = expression.trim().split(/\s+/);
  const text = fields.join(' ');
  if (ALIASES.has(text)) return text;
  if (fields.length !== 5 && fields.length !== 6)
    throw new Error(`expected five or six fields, or one of ${[...ALIASES].join(', ')}`);
  if (/(?<![A-Z])H(?![A-Z])/i.test(text)) throw new Error('expected times, got H, which stands for any');
  return text;
}
