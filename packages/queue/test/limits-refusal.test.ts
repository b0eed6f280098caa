import { delayUntilDue } from '../src/producer/due.ts';
import { excessOf, type Refusal, Waiters } from '../src/producer/refusal.ts';

const refusal = (limit: Refusal['limit'], max: number, found: number, depth = found): Refusal => ({
  limit,
  max,
  found,
  depth,
});

test.each<[string, Refusal, number]>([
  ['one place of a line that is just full', refusal('depth', 100, 100), 1],
  ['all that a lowered depth is exceeded by', refusal('depth', 10, 100), 91],
  ['as much of the line as has waited too long', refusal('oldestWaitMs', 60_000, 80_000, 400), 100],
  ["a tenant's job, with those of others between", refusal('tenants.depth', 10, 10, 200), 20],
  ["a group's jobs", refusal('groups.depth', 5, 6, 60), 20],
  [
    "as much of the line as a tenant's or a group's job has waited too long",
    refusal('groups.oldestWaitMs', 60_000, 80_000, 400),
    100,
  ],
])('what has to leave the line is %s', (_name, refused, jobs) => {
  expect(excessOf(refused)).toBe(jobs);
});

test('nobody is sent further back than a whole line takes to drain, or an hour', () => {
  const waiters = new Waiters();
  const told = Array.from({ length: 1000 }, () => waiters.afterS(refusal('depth', 100, 100), 10, 0));
  expect(told[0]).toBe(1);
  expect(told.at(-1)).toBe(11);
  expect(new Waiters().afterS(refusal('depth', 1, 100_000), 0.1, 0)).toBe(3600);
});

test.each([undefined, 0])('where %s jobs a second are known to leave the line, a few seconds are told', (drain) => {
  expect(new Waiters().afterS(refusal('depth', 1, 1), drain, 0)).toBe(5);
});

const NOW = Date.parse('2026-11-28T10:00:00Z');

test.each([
  [{}, 0],
  [{ delayMs: 7 }, 7],
  [{ runAt: '2026-11-28T10:00:01Z' }, 1000],
  [{ runAt: '2026-11-28T12:00:01+02:00' }, 1000],
  [{ runAt: '2001-01-01T00:00:00Z' }, 0],
])('a job with %j waits for %d ms', (options, delayMs) => {
  expect(delayUntilDue(options, NOW)).toBe(delayMs);
});

test.each([
  [{ runAt: '2036-11-28T10:00:00Z' }, NOW, 'expected a time up to 2036-11-25T10:00:00.000Z'],
  [{ runAt: '2039-01-01T00:00:01Z' }, Date.UTC(2035, 0, 1), 'expected a time up to 2039-01-01T00:00:00.000Z'],
  [{ runAt: '2026-12-31T23:59:60Z' }, NOW, 'expected a time that exists'],
  [{ runAt: '2026-12-01T00:00:00Z', delayMs: 0 }, NOW, 'expected none beside delayMs'],
])('%j is refused with its name', (options, now, detail) => {
  expect(() => delayUntilDue(options, now)).toThrow(`/options/runAt ${detail}`);
});
