import type { WorkerInfo } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { addCounts } from '../src/rates/add-counts.ts';
import { adviseWorkers } from '../src/rates/advise.ts';
import { crewOf } from '../src/rates/capacity.ts';
import { type Counts, noCounts, SlotCount } from '../src/rates/counts.ts';
import { createRates, drainPerSecond, type Line } from '../src/rates/index.ts';
import { measure } from '../src/rates/measure.ts';
import { createRegistry } from '../src/registry/index.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

function worker(part: Partial<WorkerInfo> = {}): WorkerInfo {
  const queues = [TYPE.queue];
  const made = { id: 'w1', host: 'h', pid: 1, queues, types: [TYPE.type], concurrency: { [TYPE.queue]: 10 } };
  return { ...made, running: 0, startedAt: '', seenAt: '', version: '0', ...part };
}

function line(part: Partial<Line> = {}): Line {
  const rates = { arrivalsPerSecond: 0, startsPerSecond: 0, endsPerSecond: 0, busySlots: 0 };
  return { nowMs: 0, backlog: 0, active: 0, paused: false, rates, ...part };
}

test('jobs that come, start and end are counted for their queue, with run time and busy slots', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const rates = createRates({ redis, prefix });
  const held = gate();
  await consume(sandbox, async ({ input }) => {
    if (input) await held.opened;
    return COMPLETED;
  });
  for (let n = 0; n < 5; n += 1) await submit(null);
  await submit({ hold: true });
  const measured = await until('all counts', async () => {
    const { rates: found } = (await rates.read(TYPE.queue)).line;
    return found.arrivalsPerSecond > 0 && found.endsPerSecond > 0 && found.busySlots > 0 ? found : undefined;
  });
  held.open();
  expect(measured.startsPerSecond).toBeGreaterThan(measured.endsPerSecond);
  expect(measured.run?.meanMs).toBeGreaterThanOrEqual(0);
});

test('the wait of the line’s head is told, counted from when it could have started', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix, producer } = await openQueue(sandbox);
  const rates = createRates({ redis, prefix });
  expect((await rates.read(TYPE.queue)).line.oldestWaitMs).toBeUndefined();
  const { id } = await submit();
  const old = Date.now() - 60_000;
  await redis.hset(queueKeys(prefix, TYPE.queue).job(id), 'timestamp', old);
  expect((await rates.read(TYPE.queue)).line).toMatchObject({ backlog: 1, active: 0, paused: false });
  expect((await rates.read(TYPE.queue)).line.oldestWaitMs).toBeGreaterThanOrEqual(60_000);
  await redis.hset(queueKeys(prefix, TYPE.queue).job(id), 'opts', JSON.stringify({ delay: 59_000 }));
  expect((await rates.read(TYPE.queue)).line.oldestWaitMs).toBeLessThan(60_000);
  await producer.pause(TYPE.queue);
  expect((await rates.read(TYPE.queue)).line.paused).toBe(true);
});

test('counts of several processes add up in the second of Redis, and expire with their key', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const keys = queueKeys(sandbox.prefix, 'work');
  const counts: Counts = { ...noCounts(), arrivals: 3, ends: 2, runMs: 30, squaredRunMs: 500 };
  await Promise.all(Array.from({ length: 4 }, () => addCounts(redis, keys, counts)));
  const stored = await redis.hgetall(keys.rates);
  const { arrivalsPerSecond, run } = measure(stored, Number(stored.since) + 2);
  expect(arrivalsPerSecond).toBe(6);
  expect(run).toEqual({ meanMs: 15, deviationMs: 5 });
  expect(await redis.ttl(keys.rates)).toBeGreaterThan(0);
});

test('a minute later a second is written anew, and what is older than the window counts for nothing', () => {
  const second = (at: number, arrivals: number) => ({ [at % 60]: `${at},${arrivals},0,0,0,0,0,0,0` });
  const stored = { since: '100', ...second(1000, 50), ...second(1009, 20), ...second(1010, 7) };
  expect(measure(stored, 1010).arrivalsPerSecond).toBe(7);
  expect(measure(stored, 1011).arrivalsPerSecond).toBe(2.7);
  expect(measure(stored, 1070).arrivalsPerSecond).toBe(0);
  expect(measure({}, 1000)).toEqual({ arrivalsPerSecond: 0, startsPerSecond: 0, endsPerSecond: 0, busySlots: 0 });
});

test('the mean run time follows jobs that have changed', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const keys = queueKeys(sandbox.prefix, 'work');
  const runs = (ms: number): Counts => ({ ...noCounts(), ends: 200, runMs: 200 * ms, squaredRunMs: 200 * ms * ms });
  for (let n = 0; n < 3; n += 1) await addCounts(redis, keys, runs(1000));
  for (let n = 0; n < 6; n += 1) await addCounts(redis, keys, runs(10));
  const { run } = measure(await redis.hgetall(keys.rates), 0);
  expect(run?.meanMs).toBeGreaterThan(10);
  expect(run?.meanMs).toBeLessThan(40);
});

test('slots count as full only for as long as the line was never found empty', () => {
  let now = 0;
  const slots = new SlotCount(2, () => now);
  expect(slots.take()).toBeUndefined();
  const run = (ms: number) => {
    const started = slots.start();
    now += ms;
    slots.end(started);
  };
  run(100);
  // It began with an empty line.
  expect(slots.take()).toMatchObject({ starts: 1, ends: 1, runMs: 100, squaredRunMs: 10_000, busyMs: 100, fullMs: 0 });
  run(100);
  now += 50;
  run(100);
  expect(slots.take()).toMatchObject({ ends: 2, busyMs: 200, fullMs: 500, fullEnds: 2 });
  run(100);
  slots.foundNone();
  expect(slots.take()).toMatchObject({ ends: 1, fullMs: 0, fullEnds: 0 });
  expect(slots.take()).toBeUndefined();
  run(100);
  expect(slots.take()).toMatchObject({ ends: 1, fullMs: 0 });
});

test('a job that runs on keeps its slot busy in every second', () => {
  let now = 0;
  const slots = new SlotCount(1, () => now);
  slots.start();
  now = 1000;
  expect(slots.take()).toMatchObject({ starts: 1, ends: 0, busyMs: 1000 });
  now = 2000;
  expect(slots.take()).toMatchObject({ starts: 0, ends: 0, busyMs: 1000 });
});

const RUN = { meanMs: 50, deviationMs: 5 };
test.each<[string, number | undefined, Partial<Line>, number]>([
  ['is unknown before the first run', undefined, {}, 10],
  ['is nothing without workers', 0, { rates: { ...line().rates, run: RUN } }, 0],
  ['is nothing while the queue is paused', 0, { paused: true, rates: { ...line().rates, run: RUN } }, 10],
  ['follows the mean run time', 200, { rates: { ...line().rates, run: RUN } }, 10],
  ['follows the measured cycle first', 100, { rates: { ...line().rates, run: RUN, cycleMs: 100 } }, 10],
  [
    'is bounded by the queue’s own limit',
    40,
    { concurrency: 2, rates: { ...line().rates, run: RUN, cycleMs: 900 } },
    10,
  ],
  [
    'is bounded by the queue’s rate',
    5,
    { rate: { max: 10, perMs: 2000, startsLeft: 0, restMs: 1 }, rates: { ...line().rates, run: RUN } },
    10,
  ],
])('what a queue gets through %s', (_what, expected, part, slots) => {
  expect(drainPerSecond(line(part), { slots })).toBe(expected);
});

test('only workers that serve a queue work on it', () => {
  const others = worker({ id: 'w2', queues: ['other'], types: ['other.work'], concurrency: { other: 3 } });
  const both = worker({ id: 'w3', queues: ['other', TYPE.queue], concurrency: { other: 1, [TYPE.queue]: 5 } });
  const crew = crewOf(TYPE.queue, [worker(), others, both]);
  expect(crew).toEqual({ workers: 2, slots: 15, types: new Set([TYPE.type]) });
  expect(crewOf(TYPE.queue, [])).toEqual({ workers: 0, slots: 0, types: new Set() });
});

test('what a queue gets through is known from its slots and runs', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix } = await openQueue(sandbox);
  const rates = createRates({ redis, prefix });
  await createRegistry({ redis, prefix }).beat(worker());
  expect(await rates.drainPerSecond(TYPE.queue)).toBeUndefined();
  const counts: Counts = { ...noCounts(), ends: 10, runMs: 1000, squaredRunMs: 100_000 };
  await addCounts(redis, queueKeys(prefix, TYPE.queue), counts);
  const later = createRates({ redis, prefix });
  expect(await later.drainPerSecond(TYPE.queue)).toBe(100);
});

const WISH = { targetWaitMs: 10_000, slotsPerWorker: 10 };
test.each<[string, number, Partial<Line>, { arrivals?: number; workers?: number; wish?: Partial<typeof WISH> }]>([
  ['none for an idle queue', 0, {}, {}],
  // 300 a second, 50 ms each: 15 slots.
  ['those that what comes in keeps busy', 2, {}, { arrivals: 300 }],
  // And 4,000 of 50 ms within 10 s: 20 slots more.
  ['more for a backlog', 4, { backlog: 4000 }, { arrivals: 300 }],
  ['many more for a backlog in a hurry', 200, { backlog: 4000 }, { wish: { targetWaitMs: 100 } }],
  ['one for a single job', 1, { backlog: 1 }, { workers: 0 }],
  ['as many as there are for what they run', 3, { active: 21 }, { workers: 3 }],
  ['one for a backlog that nothing is known of', 1, { backlog: 500, rates: line().rates }, { workers: 0 }],
  ['those that are there, where nothing is known', 4, { backlog: 500, rates: line().rates }, { workers: 4 }],
  ['none where nothing is known and nothing is there', 0, { rates: line().rates }, { workers: 4 }],
  ['no more than a paused queue runs', 1, { paused: true, backlog: 4000, active: 3 }, { arrivals: 300 }],
  ['no more than the queue’s limit lets run', 2, { backlog: 90_000, concurrency: 20 }, {}],
  [
    'no more than its limit of starts keeps busy',
    1,
    { backlog: 90_000, rate: { max: 100, perMs: 1000, startsLeft: 0, restMs: 5 } },
    {},
  ],
  ['smaller ones, more of them', 15, {}, { arrivals: 300, workers: 0, wish: { slotsPerWorker: 1 } }],
])('the advice is %s', (_what, expected, part, { arrivals = 0, workers = 1, wish }) => {
  const rates = { ...line().rates, run: RUN, arrivalsPerSecond: arrivals };
  const crew = crewOf(
    TYPE.queue,
    Array.from({ length: workers }, (_, n) => worker({ id: `w${n}` })),
  );
  expect(adviseWorkers(line({ rates, ...part }), crew, { ...WISH, ...wish })).toBe(expected);
});
