import { afterDeath } from '../process/restart.mjs';

test('a service that keeps dying is started again after ever longer pauses, then given up', () => {
  const delays: number[] = [];
  for (let quickDeaths = 0; ; ) {
    const next = afterDeath({ quickDeaths, livedMs: 100, exitCode: 1 });
    if (next.giveUp) break;
    delays.push(next.delayMs);
    quickDeaths = next.quickDeaths;
  }
  expect(delays).toEqual([500, 1_000, 2_000, 4_000]);
});

test('a service that ran well before it died starts with a clean slate', () => {
  const next = afterDeath({ quickDeaths: 4, livedMs: 3_600_000, exitCode: 1 });
  expect(next).toEqual({ giveUp: false, delayMs: 500, quickDeaths: 0 });
});

test('a service that says its configuration is wrong is not tried again', () => {
  expect(afterDeath({ quickDeaths: 0, livedMs: 3_600_000, exitCode: 2 })).toEqual({ giveUp: true });
});
