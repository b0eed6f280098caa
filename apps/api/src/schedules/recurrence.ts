import { NEXT_TICK_MAX_YEARS, type ScheduleRequest, SpillwayError } from '@spillway/contracts';
import { type NextMoment, readCron } from './cron.ts';
import { clockOf } from './wall-clock.ts';

const NEXT_TICK_MAX_MS = NEXT_TICK_MAX_YEARS * 366 * 86_400_000;

type Times = Pick<ScheduleRequest, 'cron' | 'timezone' | 'everyMs' | 'startAt' | 'endAt'>;

/**
 * Reads when a schedule is due. Its ticks are fixed moments: asked twice, in whichever process, it says the same.
 * @param since when the schedule was put or changed, from which `everyMs` without `startAt` counts
 * @throws SpillwayError `invalid_request` for times that do not go together or cannot be read
 */
export function readRecurrence(times: Times, since: number): NextMoment {
  const { startAt, endAt } = times;
  const start = startAt === undefined ? undefined : Date.parse(startAt);
  const end = endAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(endAt);
  const next = readTimes(times, start ?? since + (times.everyMs ?? 0));
  return (after) => {
    const moment = next(start === undefined ? after : Math.max(after, start - 1));
    return moment !== undefined && moment <= end ? moment : undefined;
  };
}

/** The first tick. @throws SpillwayError `invalid_request` where there is none, or it is too far away */
export function firstTick(times: Times, now: number): number {
  const tick = readRecurrence(times, now)(now);
  if (tick === undefined && times.endAt !== undefined)
    throw invalid('endAt', `expected a time at or after the first tick from now on, got ${times.endAt}`);
  if (tick === undefined) throw invalid('cron', `expected times that come, got ${show(times.cron)}, which never do`);
  if (tick - now <= NEXT_TICK_MAX_MS) return tick;
  const asked = times.startAt === undefined ? 'cron' : 'startAt';
  throw invalid(
    asked,
    `expected a first tick within ${NEXT_TICK_MAX_YEARS} years, got one at ${new Date(tick).toISOString()}`,
  );
}

function readTimes({ cron, everyMs, timezone }: Times, first: number): NextMoment {
  if (cron !== undefined && everyMs !== undefined)
    throw invalid('everyMs', `expected none beside cron, got ${everyMs}`);
  if (everyMs !== undefined && timezone !== undefined)
    throw invalid('timezone', `expected none beside everyMs, got ${show(timezone)}`);
  if (everyMs !== undefined) return (after) => first + Math.max(0, Math.floor((after - first) / everyMs) + 1) * everyMs;
  if (cron === undefined) throw invalid('cron', 'expected cron or everyMs, got neither');
  const clock = clockOf(timezone ?? 'UTC');
  if (!clock)
    throw invalid('timezone', `expected the IANA name of a time zone, e.g. Europe/Berlin, got ${show(timezone)}`);
  try {
    return readCron(cron, clock);
  } catch (error) {
    throw invalid('cron', `expected a cron expression, got ${show(cron)}: ${(error as Error).message}`);
  }
}

/** Values are bounded by their schema. */
function show(value: string | undefined): string {
  return JSON.stringify(value);
}

function invalid(field: keyof ScheduleRequest, expected: string): SpillwayError {
  const message = `/${field}: ${expected}`;
  return new SpillwayError('invalid_request', message, { errors: [{ pointer: `/${field}`, message }] });
}
