import type { QueueGroupLimits } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { Worker } from 'bullmq';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

const KEYS_LEFT = ['group:ahead', 'group:running', 'group:slots', 'group:turns', 'grouped', 'groups'];

/** A queue, what ran of it in which order, and what waits, runs and is held of its groups. */
async function openGroups(sandbox: Sandbox, limits?: QueueGroupLimits) {
  const queue = await openQueue(sandbox);
  const { redis, prefix, producer, submit } = queue;
  const keys = queueKeys(prefix, TYPE.queue);
  if (limits) await producer.limitGroups(TYPE.queue, limits);
  const ran: string[] = [];
  const running = async () => (await redis.hgetall(`${keys.groupBase}running`)) as Record<string, string>;
  return {
    ...queue,
    keys,
    ran,
    running,
    put: (group: string, options: object = {}) => submit({ group }, { group, ...options }),
    flood: (group: string, jobs: number) =>
      Promise.all(Array.from({ length: jobs }, () => submit({ group }, { group }))),
    note: async ({ input }: { input: unknown }) => {
      ran.push((input as { group: string }).group);
      return COMPLETED;
    },
    /** Once everything that ended is known to have ended, there is nothing left of any group. */
    emptied: () =>
      until('all slots to be free and all lines empty', async () => {
        const left = await Promise.all(KEYS_LEFT.map((key) => redis.exists(keys.base + key)));
        return left
          .filter((_, index) => KEYS_LEFT[index] !== 'group:ahead' && KEYS_LEFT[index] !== 'group:turns')
          .every((found) => found === 0);
      }),
  };
}

test('a group that comes last starts within one round, however many jobs of another stand before it', async () => {
  await using sandbox = await openSandbox();
  const { flood, put, note, ran, emptied } = await openGroups(sandbox);
  for (let chunk = 0; chunk < 20; chunk += 1) await flood('whale', 5000);
  await put('minnow');
  const consumer = await consume(sandbox, note, { concurrency: 1 });
  await until('the one job', () => ran.includes('minnow'));
  // What was in the main line when it came, and what a worker takes while it is told of.
  expect(ran.indexOf('minnow')).toBeLessThan(25);
  await consumer.stop(1000);
  void emptied;
});

test('a thousand groups are served evenly', async () => {
  await using sandbox = await openSandbox();
  const { submit, note, ran, emptied } = await openGroups(sandbox);
  const names = Array.from({ length: 1000 }, (_, n) => `group ${n}`);
  for (const group of names) await Promise.all([1, 2, 3].map(() => submit({ group }, { group })));
  await consume(sandbox, note, { concurrency: 1 });
  await until('all jobs', () => ran.length === 3000);
  // The first round may lack those that came while others had their turns already.
  const counts = (jobs: string[]) => new Set(jobs).size;
  expect(counts(ran.slice(1050, 2050))).toBeGreaterThan(900);
  expect(counts(ran)).toBe(1000);
  await emptied();
});

test('weights of three to one give shares of three to one', async () => {
  await using sandbox = await openSandbox();
  const { flood, note, ran } = await openGroups(sandbox, { byName: { heavy: { weight: 3 } } });
  await Promise.all([flood('light', 400), flood('heavy', 400)]);
  const consumer = await consume(sandbox, note, { concurrency: 4 });
  await until('both to be served', () => ran.length >= 420);
  await consumer.stop(1000);
  const served = ran.slice(20, 420).filter((group) => group === 'heavy').length;
  expect(served).toBeGreaterThan(290);
  expect(served).toBeLessThan(310);
});

test('a plain engine worker that ends jobs and releases nothing holds their groups up no longer than to the next sweep', async () => {
  await using sandbox = await openSandbox();
  const { put, note, ran, running, prefix, redis, emptied } = await openGroups(sandbox, {
    default: { concurrency: 1 },
  });
  const ended = gate();
  await put('capped');
  await put('capped');
  const careless = new Worker(engineName(TYPE.queue), async () => ended.open(), {
    connection: await sandbox.connect('worker'),
    prefix,
  });
  sandbox.defer(() => careless.close());
  await ended.opened;
  await careless.close();
  expect(await running()).toEqual({ capped: '1' });
  void redis;
  await consume(sandbox, note);
  await until('the second job', () => ran.length === 1);
  await emptied();
});
