import { type Autoscaler, type AutoscalerSetup, createAutoscaler } from '../src/autoscaler.ts';
import type { Limits } from '../src/decide.ts';

const LIMITS: Limits = { min: 1, max: 8, cooldownMs: 60_000, staleMs: 15_000 };

/** An autoscaler whose clock, api and workers the test sets. */
function stage(change: Partial<AutoscalerSetup> = {}) {
  const world = { nowMs: 0, advised: 1, running: 1, api: true, scaled: [] as number[], troubles: 0 };
  const setup: AutoscalerSetup = {
    readFigures: async () => {
      if (!world.api) throw new Error('nobody answers');
      return { advised: world.advised, alive: world.running };
    },
    fleet: {
      count: async () => world.running,
      async scale(workers) {
        world.scaled.push(workers);
        world.running = workers;
      },
    },
    limits: LIMITS,
    intervalMs: 5000,
    now: () => world.nowMs,
    onStep: () => undefined,
    onTrouble: () => {
      world.troubles += 1;
    },
    logger: { info: () => undefined, warn: () => undefined } as never,
    ...change,
  };
  return { world, autoscaler: createAutoscaler(setup) };
}

async function steps(count: number, world: { nowMs: number }, autoscaler: Autoscaler): Promise<void> {
  for (let step = 0; step < count; step += 1) {
    world.nowMs += 5000;
    await autoscaler.step();
  }
}

test('it goes up with the next look and down after the cooldown, and scales only what differs', async () => {
  const { world, autoscaler } = stage();
  await steps(1, world, autoscaler);
  world.advised = 6;
  await steps(2, world, autoscaler);
  expect(world.scaled).toEqual([6]);
  world.advised = 2;
  await steps(12, world, autoscaler);
  expect(world.scaled).toEqual([6]);
  await steps(2, world, autoscaler);
  expect(world.scaled).toEqual([6, 2]);
  expect(autoscaler.view()).toMatchObject({ running: 2, wanted: 2, advised: 2, reason: 'steady' });
});

test('while api is away everything stays, and lower advice from before it went counts for nothing', async () => {
  const { world, autoscaler } = stage();
  world.running = 5;
  await steps(10, world, autoscaler);
  world.api = false;
  await steps(20, world, autoscaler);
  expect(autoscaler.view()).toMatchObject({ running: 5, wanted: 5, reason: 'stale' });
  expect(autoscaler.trouble()).toBe('no advice from api: nobody answers');
  expect(world.troubles).toBe(20);
  world.api = true;
  await steps(12, world, autoscaler);
  expect(autoscaler.trouble()).toBeUndefined();
  expect(world.scaled).toEqual([]);
  await steps(1, world, autoscaler);
  expect(world.scaled).toEqual([1]);
});

test('an engine that refuses is told of, and asked again', async () => {
  const { world, autoscaler } = stage({
    fleet: { count: async () => 1, scale: () => Promise.reject(new Error('refused')) },
  });
  world.advised = 3;
  await steps(2, world, autoscaler);
  expect(autoscaler.trouble()).toBe('the workers could not be scaled: refused');
  expect(world.troubles).toBe(2);
});

test('one that only advises tells what it would do of what api sees', async () => {
  const { world, autoscaler } = stage({ fleet: undefined });
  world.advised = 4;
  await steps(2, world, autoscaler);
  expect(autoscaler.view()).toMatchObject({ running: 1, advised: 4, wanted: 4, reason: 'up' });
});

test('it ends at once when it is told to, in the middle of its pause', async () => {
  const stopping = new AbortController();
  const { autoscaler } = stage({ intervalMs: 600_000, onStep: () => setImmediate(() => stopping.abort()) });
  await autoscaler.run(stopping.signal);
  expect(autoscaler.view()).toBeDefined();
});
