import { CATCH_UP_MAX, type ScheduleRequest } from '@spillway/contracts';
import { readRecurrence } from '../../src/schedules/recurrence.ts';
import { dueTicks } from '../../src/schedules/ticks.ts';

const minutes = (at: number) => at * 60_000;
/** A tick at every minute from 0 on. */
const everyMinute = readRecurrence({ everyMs: 60_000, startAt: new Date(0).toISOString() }, 0);
const ALL = Number.POSITIVE_INFINITY;

test.each<
  [string, ScheduleRequest['catchUp'], { due: number; now: number; left?: number }, number[], number | undefined]
>([
  ['a tick on time fires', 'none', { due: 5, now: 5 }, [5], 6],
  ['a tick a moment late fires, catch-up or not', 'none', { due: 5, now: 5.1 }, [5], 6],
  ['of those that passed meanwhile the latest is on time', 'none', { due: 1, now: 5.1 }, [5], 6],
  ['none drops what passed', 'none', { due: 1, now: 5.9 }, [], 6],
  ['last fires the latest that passed', 'last', { due: 1, now: 5.9 }, [5], 6],
  ['last is what happens by itself', undefined, { due: 1, now: 5.9 }, [5], 6],
  ['all fires each that passed', 'all', { due: 2, now: 5.9 }, [2, 3, 4, 5], 6],
  [
    'all is bounded by how many may still come, and then it ends',
    'all',
    { due: 2, now: 5.9, left: 2 },
    [4, 5],
    undefined,
  ],
  ['the last one that may come ends it', 'last', { due: 5, now: 5, left: 1 }, [5], undefined],
])('%s', (_what, catchUp, { due, now, left = ALL }, fire, next) => {
  const decided = dueTicks(everyMinute, { due: minutes(due), now: minutes(now), left, catchUp });
  expect(decided).toEqual({ fire: fire.map(minutes), next: next === undefined ? undefined : minutes(next) });
});

test('all is bounded after an outage of years', () => {
  const now = Date.parse('2026-11-27T12:00:30Z');
  const { fire } = dueTicks(everyMinute, { due: minutes(1), now, left: ALL, catchUp: 'all' });
  expect(fire).toHaveLength(CATCH_UP_MAX);
  expect([fire.at(-1), fire[0]]).toEqual([now - 30_000, now - 30_000 - minutes(CATCH_UP_MAX - 1)]);
});

test('rare ticks of a long outage are found as well', () => {
  const yearly = readRecurrence({ cron: '@yearly' }, 0);
  const [due, now] = [Date.parse('2001-01-01T00:00:00Z'), Date.parse('2026-11-27T12:00:00Z')];
  expect(dueTicks(yearly, { due, now, left: ALL, catchUp: 'all' }).fire).toHaveLength(26);
});
