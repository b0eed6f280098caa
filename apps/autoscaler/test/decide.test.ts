import { type Advice, decide, type Limits, type Reason, remember } from '../src/decide.ts';

const LIMITS: Limits = { min: 1, max: 8, cooldownMs: 60_000, staleMs: 15_000 };
const NOW = 1_000_000;

/** Advice of every ten seconds up to now, the oldest first. */
function advised(...workers: number[]): Advice[] {
  return workers.map((count, index) => ({ atMs: NOW - (workers.length - 1 - index) * 10_000, workers: count }));
}

test.each<[what: string, history: Advice[], running: number, workers: number, reason: Reason]>([
  ['more advice is followed at once', advised(2, 5), 2, 5, 'up'],
  ['the first advice that there is is followed up', advised(5), 2, 5, 'up'],
  ['never more than the most', advised(2, 50), 2, 8, 'up'],
  ['never fewer than the fewest', advised(0, 0, 0, 0, 0, 0, 0), 2, 1, 'down'],
  ['fewer than the fewest are filled up', advised(0), 0, 1, 'up'],
  ['the same is left alone', advised(2, 2, 2, 2, 2, 2, 2), 2, 2, 'steady'],
  ['lower advice is not followed at once', advised(5, 5, 5, 5, 5, 5, 2), 5, 5, 'cooldown'],
  ['lower advice is followed after the cooldown', advised(5, 2, 2, 2, 2, 2, 2, 2), 5, 2, 'down'],
  ['down goes to the highest of the cooldown only', advised(5, 2, 2, 4, 2, 3, 2, 1), 5, 4, 'down'],
  ['a peak within the cooldown keeps what is there', advised(2, 2, 2, 2, 2, 9, 2, 2), 5, 5, 'cooldown'],
  ['advice of less than a cooldown takes nobody away', advised(1, 1, 1, 1, 1, 1), 5, 5, 'cooldown'],
  ['more workers than the most go after the cooldown', advised(20, 20, 20, 20, 20, 20, 20), 12, 8, 'down'],
  ['without any advice everything stays', [], 3, 3, 'stale'],
  ['also outside the limits', [], 12, 12, 'stale'],
])('%s', (_, history, running, workers, reason) => {
  expect(decide(NOW, history, running, LIMITS)).toEqual({ workers, reason });
});

test('advice that is too old changes nothing, be it higher or lower', () => {
  const history = advised(5, 5, 5, 5, 5, 5, 5, 5);
  for (const running of [1, 5, 9]) {
    expect(decide(NOW + 15_001, history, running, LIMITS)).toEqual({ workers: running, reason: 'stale' });
  }
  expect(decide(NOW + 15_000, history, 1, LIMITS)).toEqual({ workers: 5, reason: 'up' });
});

test('time without advice is no part of a cooldown', () => {
  expect(decide(NOW + 12_000, advised(1, 1, 1, 1, 1, 1), 4, LIMITS)).toEqual({ workers: 4, reason: 'cooldown' });
});

test('the history reaches back as far as a decision looks, and is no longer', () => {
  let history: Advice[] = [];
  for (let step = 0; step < 1000; step += 1) {
    history = remember(history, { atMs: NOW + step * 5000, workers: step % 7 }, LIMITS);
  }
  expect(history).toHaveLength(13);
  expect((history.at(-1)?.atMs ?? 0) - (history[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(LIMITS.cooldownMs);
});

test('after a gap the cooldown begins anew', () => {
  const before = advised(1, 1, 1, 1, 1, 1, 1);
  const after = remember(before, { atMs: NOW + 20_000, workers: 1 }, LIMITS);
  expect(decide(NOW, before, 4, LIMITS).reason).toBe('down');
  expect(decide(NOW + 20_000, after, 4, LIMITS)).toEqual({ workers: 4, reason: 'cooldown' });
});

test('over any course of advice the decision keeps within the limits and never falls below the advice of the cooldown', () => {
  let running = 1;
  let history: Advice[] = [];
  const seen: Advice[] = [];
  for (let step = 0; step < 500; step += 1) {
    const advice = { atMs: NOW + step * 5000, workers: (step * step * 7) % 11 };
    seen.push(advice);
    history = remember(history, advice, LIMITS);
    const { workers } = decide(advice.atMs, history, running, LIMITS);
    const recent = seen.filter(({ atMs }) => atMs >= advice.atMs - LIMITS.cooldownMs);
    expect(workers).toBeGreaterThanOrEqual(Math.min(8, Math.max(1, ...recent.map((one) => one.workers))));
    expect(workers).toBeLessThanOrEqual(8);
    running = workers;
  }
});
