import { openSandbox, until } from '@spillway/testkit';
import { letInOnce } from '../src/consumer/held-jobs.ts';
import type { Lease } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, openQueue, TYPE } from './fixture.ts';

type Opened = Awaited<ReturnType<typeof openQueue>>;
type Options = Parameters<Opened['submit']>[1];

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

async function open(sandbox: Awaited<ReturnType<typeof openSandbox>>) {
  const queue = await openQueue(sandbox);
  const { producer, reader, redis, prefix } = queue;
  return {
    ...queue,
    keys: queueKeys(prefix, 'work'),
    limit: (limits: Parameters<typeof producer.setLimits>[1]) => producer.setLimits('work', limits),
    of: (tenant: string | undefined, options: Options = {}, input: unknown = {}) =>
      producer.submit({ type: TYPE, input, options, tenant }),
    counts: async () => (await reader.queue('work')).counts,
    stateOf: async (id: string) => (await reader.job(id)).state,
    letIn: () => letInOnce(redis, queueKeys(prefix, 'work')),
    leftovers: () => redis.keys(`${prefix}:{work}:held*`),
  };
}

const FULL = { code: 'queue_full' };
const statesOf = (jobs: readonly { state: string }[]) => jobs.map(({ state }) => state);

/** One group whose jobs are not let go ahead of the workers: its cap is used up. */
const capped = { byName: { a: { concurrency: 1 } } };

test('what a tenant has no room for is held back, in its order, and in nobody else’s way', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ tenants: { depth: 2, policy: 'park' } });
  const mine = await Promise.all(times(6, (n) => queue.of('a', {}, n)));
  const later = await queue.of('a', { priority: 3 }, 6);
  const others = await Promise.all([...times(2, () => queue.of('b')), ...times(3, () => queue.of(undefined))]);
  expect(statesOf(mine)).toEqual([...times(2, () => 'waiting'), ...times(4, () => 'delayed')]);
  expect(later.state).toBe('delayed');
  expect(statesOf(others)).toEqual(times(5, () => 'waiting'));
  expect(await queue.reader.job(later.id)).not.toHaveProperty('runAt');
  const ran: unknown[] = [];
  await consume(
    sandbox,
    async ({ input }: Lease) => {
      if (typeof input === 'number') ran.push(input);
      return COMPLETED;
    },
    { concurrency: 1 },
  );
  await until('all ends', async () => (await queue.counts()).completed === 12);
  expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(await queue.leftovers()).toEqual([]);
});

test('what a group has no room for is held back until its line is shorter', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ groups: { depth: 2, policy: 'park', ...capped } });
  const group = (name: string, input: unknown = {}) => queue.submit(input, { group: name });
  // The first one is let go, and uses up the group's cap.
  const first = await group('a', -1);
  const jobs = await Promise.all(times(5, (n) => group('a', n)));
  expect(first.state).toBe('waiting');
  expect(statesOf(jobs)).toEqual(['waiting', 'waiting', 'delayed', 'delayed', 'delayed']);
  expect((await group('b')).state).toBe('waiting');
  const ran: unknown[] = [];
  await consume(sandbox, async ({ input }: Lease) => {
    if (typeof input === 'number') ran.push(input);
    return COMPLETED;
  });
  await until('all ends', async () => (await queue.counts()).completed === 7);
  expect(ran).toEqual([-1, 0, 1, 2, 3, 4]);
  expect(await queue.leftovers()).toEqual([]);
});

test('a tenant drops its own last job of the lowest priority, and never another one’s', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ tenants: { depth: 3, policy: 'shed' } });
  const foreign = await queue.of('b', { priority: 20 });
  const first = await queue.of('a', { priority: 9 });
  const last = await queue.of('a', { priority: 9 });
  const grouped = await queue.of('a', { priority: 30, group: 'g' });
  await expect(queue.of('a', { priority: 9 })).rejects.toMatchObject(FULL);
  await queue.of('a', { priority: 5 });
  expect(await queue.reader.job(last.id)).toMatchObject({ state: 'failed', error: { code: 'shed' } });
  await queue.of('a');
  expect(await queue.stateOf(first.id)).toBe('failed');
  await queue.of('a');
  await expect(queue.of('a')).rejects.toMatchObject(FULL);
  expect(await Promise.all([foreign, grouped].map(({ id }) => queue.stateOf(id)))).toEqual(['waiting', 'waiting']);
});

test('a group drops its own last job of the lowest priority, also of many that come at once', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ groups: { depth: 2, policy: 'shed', ...capped } });
  const of = (priority: number, group = 'a') => queue.submit({}, { group, priority });
  const other = await of(50, 'b');
  await of(1);
  const jobs = await Promise.allSettled([of(9), of(8), of(7), of(9), of(2)]);
  expect(jobs.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  const ids = jobs.flatMap((job) => (job.status === 'fulfilled' ? [job.value.id] : []));
  expect(await Promise.all(ids.map(queue.stateOf))).toEqual(['failed', 'failed', 'waiting', 'waiting']);
  expect(await queue.stateOf(other.id)).toBe('waiting');
  expect(await queue.redis.zscore(queue.keys.groups, 'a')).toBe('2');
  await consume(sandbox, async () => COMPLETED);
  await until('all ends', async () => (await queue.counts()).completed === 4);
});

test('room is made in all lines that are full, or in none', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({
    depth: { max: 4, policy: 'shed' },
    tenants: { depth: 1, policy: 'shed' },
    groups: { depth: 1, policy: 'shed', ...capped },
  });
  const own = await queue.of('a', { priority: 9 });
  await queue.submit({}, { group: 'a', priority: 1 });
  const line = await queue.submit({}, { group: 'a', priority: 1 });
  // Its tenant could make room, its group cannot: that one's job is as urgent.
  await expect(queue.of('a', { group: 'a', priority: 1 })).rejects.toMatchObject(FULL);
  expect(await Promise.all([own, line].map(({ id }) => queue.stateOf(id)))).toEqual(['waiting', 'waiting']);
  await queue.of('b', { priority: 30 });
  // The queue is full as well: its tenant's room is room in the queue.
  const urgent = await queue.of('a', { priority: 1 });
  expect([urgent.state, await queue.stateOf(own.id)]).toEqual(['waiting', 'failed']);
  expect(await queue.counts()).toMatchObject({ waiting: 4, failed: 1 });
});

test('a refusal comes before everything else, and drops nothing', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ depth: { max: 1 }, tenants: { depth: 1, policy: 'shed' } });
  const own = await queue.of('a', { priority: 9 });
  await expect(queue.of('a', { priority: 1 })).rejects.toMatchObject(FULL);
  expect(await queue.stateOf(own.id)).toBe('waiting');
});

test('what a tenant holds back counts where the queue refuses', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ depth: { max: 5 }, tenants: { depth: 2, policy: 'park' } });
  const jobs = await Promise.allSettled(times(8, () => queue.of('a')));
  expect(jobs.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  await expect(queue.of('b')).rejects.toMatchObject(FULL);
  expect(await queue.counts()).toMatchObject({ waiting: 2, delayed: 3 });
});

test('a tenant whose first job has waited too long has the others held back until it starts', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ tenants: { oldestWaitMs: 60_000, policy: 'park' } });
  const first = await queue.of('a');
  await queue.redis.hset(queue.keys.job(first.id), 'timestamp', Date.now() - 90_000);
  expect(statesOf([await queue.of('a'), await queue.of('a'), await queue.of('b')])).toEqual([
    'delayed',
    'delayed',
    'waiting',
  ]);
  expect(await queue.letIn()).toBe(2);
  await queue.producer.cancel(first.id, 'us');
  expect(await queue.letIn()).toBe(0);
  expect(await queue.counts()).toMatchObject({ waiting: 3, delayed: 0 });
});

test('what is held back can be cancelled and removed, and the others follow', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ tenants: { depth: 1, policy: 'park' } });
  const [head, ...held] = await Promise.all(times(5, () => queue.of('a')));
  const ids = held.map(({ id }) => id);
  await queue.producer.cancel(ids[0] ?? '', 'us');
  await queue.producer.cancel(ids[1] ?? '', 'us');
  await queue.producer.remove(ids[1] ?? '');
  expect(await queue.letIn()).toBe(2);
  await queue.producer.cancel(head?.id ?? '', 'us');
  expect(await queue.letIn()).toBe(1);
  expect(await queue.stateOf(ids[2] ?? '')).toBe('waiting');
  await queue.producer.cancel(ids[3] ?? '', 'us');
  // Nobody is left, and the next one does not wait behind them.
  await queue.letIn();
  await queue.limit({ tenants: { depth: 2, policy: 'park' } });
  expect((await queue.of('a')).state).toBe('waiting');
  expect(await queue.leftovers()).toEqual([]);
});

test('all of many tenants’ jobs are let in once the limit is lifted', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({ tenants: { depth: 1, policy: 'park' } });
  await Promise.all(times(900, (n) => queue.of(`t${n % 300}`)));
  expect(await queue.counts()).toMatchObject({ waiting: 300, delayed: 600 });
  expect(await queue.letIn()).toBe(600);
  await queue.limit({});
  await until('all to be let in', async () => (await queue.letIn()) === 0);
  expect(await queue.counts()).toMatchObject({ waiting: 900, delayed: 0 });
  expect(await queue.leftovers()).toEqual([]);
});

test('a job passes its tenant, its group and the queue, and none of them is ever fuller than its limit', async () => {
  await using sandbox = await openSandbox();
  const queue = await open(sandbox);
  await queue.limit({
    depth: { max: 12, policy: 'park' },
    tenants: { depth: 5, policy: 'park' },
    groups: { depth: 3, policy: 'park', default: { concurrency: 1 } },
  });
  const tenants = ['a', 'b', 'c'];
  const options = [{}, { priority: 4 }, { group: 'x' }, { group: 'y', priority: 2 }, { tags: ['t'] }];
  const jobs = await Promise.all(times(240, (n) => queue.of(tenants[n % tenants.length], options[n % options.length])));
  expect(new Set(statesOf(jobs))).toEqual(new Set(['waiting', 'delayed']));
  let [most, looks] = [0, 0];
  async function look() {
    const { redis, keys } = queue;
    const sizes = await Promise.all([
      ...tenants.map(async (tenant) => (await redis.zcard(keys.tenant(tenant))) - 5),
      ...['x', 'y'].map(async (group) => Number(await redis.zscore(keys.groups, group)) - 3),
      redis.llen(keys.wait).then((waits) => waits - 12),
    ]);
    most = Math.max(most, ...sizes);
    looks += 1;
  }
  await look();
  await consume(sandbox, async () => COMPLETED, { concurrency: 4 });
  await until('all ends', async () => {
    await look();
    return (await queue.counts()).completed === 240;
  });
  expect(looks).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(0);
  expect(await queue.leftovers()).toEqual([]);
});
