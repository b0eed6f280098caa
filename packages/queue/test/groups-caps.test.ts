import { Worker } from '@spillway/bullmq';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { limitFields } from '../src/engine/groups.ts';
import { engineName } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, TYPE } from './fixture.ts';
import { openGroups } from './grouped.ts';

/** Several consumers whose handlers count in Redis who runs beside them, and the most that was seen of each group. */
async function consumeCounting(sandbox: Sandbox, workers: number) {
  const redis = await sandbox.connect();
  const most = new Map<string, number>();
  let ended = 0;
  const consumers = Array.from({ length: workers }, (_, n) =>
    consume(
      sandbox,
      async ({ input }) => {
        const { group } = input as { group: string };
        const key = `${sandbox.prefix}:holders:${group}`;
        const holders = await redis.incr(key);
        most.set(group, Math.max(most.get(group) ?? 0, holders));
        // The others get their chance meanwhile.
        for (let pause = 0; pause < 5; pause += 1) await redis.ping();
        await redis.decr(key);
        ended += 1;
        return COMPLETED;
      },
      { concurrency: 10, workerId: `w${n}` },
    ),
  );
  await Promise.all(consumers);
  return { most, ended: () => ended };
}

test('no group ever runs more jobs at once than its cap, over all workers, and each reaches it', async () => {
  await using sandbox = await openSandbox();
  const { flood, emptied } = await openGroups(sandbox, {
    default: { concurrency: 3 },
    byName: { one: { concurrency: 1 }, many: { concurrency: 8, weight: 5 } },
  });
  await Promise.all(['one', 'many', 'b', 'c'].map((group) => flood(group, 200)));
  const { most, ended } = await consumeCounting(sandbox, 3);
  await until('all jobs', () => ended() === 800);
  expect(most.get('one')).toBe(1);
  for (const [group, cap] of [
    ['b', 3],
    ['c', 3],
    ['many', 8],
  ] as const)
    expect(most.get(group)).toBeLessThanOrEqual(cap);
  expect(Math.max(most.get('b') ?? 0, most.get('c') ?? 0)).toBeGreaterThan(1);
  await emptied();
});

test('a cap below what runs lets nothing more start, and a higher one does so at once', async () => {
  await using sandbox = await openSandbox();
  const { flood, limit, slots, emptied } = await openGroups(sandbox, { default: { concurrency: 4 } });
  await flood('a', 12);
  const ends: (() => void)[] = [];
  await consume(sandbox, async () => {
    const { open, opened } = gate();
    ends.push(open);
    await opened;
    return COMPLETED;
  });
  await until('four to run', () => ends.length === 4);
  await limit({ default: { concurrency: 2 } });
  ends[0]?.();
  ends[1]?.();
  await until('two to have ended', async () => (await slots()).a === '2');
  ends[2]?.();
  await until('one more to start in the place of the third', () => ends.length === 5);
  expect(await slots()).toEqual({ a: '2' });
  await limit({ byName: { a: { concurrency: 6 } } });
  await until('four more', () => ends.length === 9);
  await limit();
  await until('all', () => ends.length === 12);
  for (const end of ends) end();
  await emptied();
});

test('weights that are changed while jobs wait count from the next start on', async () => {
  await using sandbox = await openSandbox();
  const { flood, limit, run, ran } = await openGroups(sandbox);
  await Promise.all([flood('a', 300), flood('b', 300)]);
  const start = gate();
  const consumer = await consume(
    sandbox,
    async (lease) => {
      await run(lease);
      if (ran.length === 100) {
        await limit({ byName: { b: { weight: 4 } } });
        start.open();
      }
      return COMPLETED;
    },
    { concurrency: 1 },
  );
  await start.opened;
  await until('two hundred more', () => ran.length >= 340);
  await consumer.stop(1000);
  expect(ran.slice(20, 100).filter((group) => group === 'b')).toHaveLength(40);
  const share = ran.slice(130, 330).filter((group) => group === 'b').length;
  expect(share).toBeGreaterThanOrEqual(158);
  expect(share).toBeLessThanOrEqual(162);
});

test('a group starts no more jobs in a window than its rate allows, and others are not held up', async () => {
  await using sandbox = await openSandbox();
  const { flood, run, ran, limit, reader } = await openGroups(sandbox, {
    byName: { slow: { rate: { max: 3, perMs: 3_600_000 } } },
  });
  await flood('slow', 10);
  await flood('free', 50);
  await consume(sandbox, run);
  await until('the others', () => ran.filter((group) => group === 'free').length === 50);
  expect(ran.filter((group) => group === 'slow')).toHaveLength(3);
  expect(await reader.groups('work')).toMatchObject({
    longest: [{ name: 'slow', waiting: 7, running: 0, rate: { max: 3, perMs: 3_600_000 } }],
  });
  await limit();
  await until('the rest', () => ran.length === 60);
});

test('whoever used up a window goes on by itself when the next one opens', async () => {
  await using sandbox = await openSandbox();
  const { flood, run, ran, emptied } = await openGroups(sandbox, { default: { rate: { max: 2, perMs: 40 } } });
  await flood('a', 9);
  await consume(sandbox, run);
  await until('all of them', () => ran.length === 9);
  await emptied();
});

test('an engine worker that ends jobs and releases nothing holds their groups up no longer than to the next sweep', async () => {
  await using sandbox = await openSandbox();
  const { put, run, ran, slots, prefix, emptied } = await openGroups(sandbox, { default: { concurrency: 1 } });
  const ended = gate();
  await put('capped');
  await put('capped');
  const careless = new Worker(engineName(TYPE.queue), async () => undefined, {
    connection: await sandbox.connect('worker'),
    prefix,
  });
  sandbox.defer(() => careless.close());
  careless.on('completed', () => ended.open());
  await ended.opened;
  await careless.close();
  expect(await slots()).toEqual({ capped: '1' });
  await consume(sandbox, run);
  await until('the second job', () => ran.length === 1);
  await emptied();
});

test('limits are given back as they were given, and none once they are taken away', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, redis, keys } = await openGroups(sandbox);
  expect(await reader.limits(TYPE.queue)).toEqual({});
  const groups = { default: { weight: 2 }, byName: { 'ä:"': { concurrency: 3, rate: { max: 1, perMs: 5 } } } };
  await producer.setLimits(TYPE.queue, { concurrency: 7, groups });
  expect(await reader.limits(TYPE.queue)).toEqual({ concurrency: 7, groups });
  expect(await reader.queue(TYPE.queue)).toMatchObject({ limits: { concurrency: 7 } });
  await producer.setLimits(TYPE.queue, {});
  expect(await reader.limits(TYPE.queue)).toEqual({});
  expect(await redis.keys(`${keys.groupBase}*`)).toEqual([]);
});

test('a window of starts that was an hour long lasts no longer than the rate that is set afterwards', async () => {
  await using sandbox = await openSandbox();
  const { flood, run, ran, limit } = await openGroups(sandbox, { default: { rate: { max: 1, perMs: 3_600_000 } } });
  await flood('a', 3);
  await consume(sandbox, run);
  await until('the first', () => ran.length === 1);
  await limit({ default: { rate: { max: 1, perMs: 20 } } });
  await until('the rest', () => ran.length === 3);
});

test.each([
  ['nobody has limits', {}, ['', '1 0 0 0']],
  ['a group has its own', { byName: { a: { weight: 7 } } }, ['', '1 0 0 0', 'a', '7 0 0 0']],
  [
    'what a group leaves out is the default’s',
    { default: { concurrency: 2, rate: { max: 3, perMs: 4 } }, byName: { a: { weight: 7 }, b: { concurrency: 9 } } },
    ['', '1 2 3 4', 'a', '7 2 3 4', 'b', '1 9 3 4'],
  ],
])('limits are stored by name: %s', (_name, limits, fields) => {
  expect(limitFields(limits)).toEqual(fields);
});
