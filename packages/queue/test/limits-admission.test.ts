import type { JobType } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { clearTenants, letInOnce } from '../src/consumer/held-jobs.ts';
import type { Lease } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { createProducer } from '../src/producer/index.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

type Opened = Awaited<ReturnType<typeof openQueue>>;

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

/** How many of these were refused with `queue_full`; anything else is a surprise. */
async function refusals(submits: readonly Promise<unknown>[]): Promise<number> {
  const ends = await Promise.allSettled(submits);
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  for (const error of errors) expect(error).toMatchObject({ code: 'queue_full' });
  return errors.length;
}

const waiting = async ({ reader }: Opened) => (await reader.queue('work')).counts.waiting;

test('a queue takes as many waiting jobs as its depth says, and refuses each further one by itself', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 30 } });
  expect(await refusals(times(70, () => queue.submit()))).toBe(40);
  expect(await waiting(queue)).toBe(30);
  await expect(queue.submit()).rejects.toMatchObject({
    message: expect.stringContaining('expected room below 30 waiting jobs in queue work, got 30 that wait'),
    retryAfterS: 5,
  });
});

test('many producers at once never exceed a depth', async () => {
  await using sandbox = await openSandbox();
  const queues = await Promise.all(times(4, () => openQueue(sandbox)));
  const [first] = queues as [Opened];
  await first.producer.setLimits('work', { depth: { max: 123 } });
  const kinds = [{}, { priority: 5 }, { group: 'a' }, { tags: ['t'] }, { dedupe: { key: 'k' } }];
  const dedupes = 4 * 20;
  const refused = await refusals(
    queues.flatMap((queue) => times(100, (n) => queue.submit({}, kinds[n % kinds.length]))),
  );
  expect(await waiting(first)).toBe(123);
  // All with one dedupe key are one job, or none.
  expect(refused).toBeGreaterThanOrEqual(400 - dedupes - 123);
});

test('delayed jobs have no part in a depth', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 1 } });
  for (const _ of times(3, Number)) await queue.submit({}, { delayMs: 60_000 });
  await queue.submit();
  expect(await refusals([queue.submit()])).toBe(1);
  await queue.submit({}, { delayMs: 60_000 });
});

test('what is refused leaves nothing behind, and is stored under its key once there is room', async () => {
  await using sandbox = await openSandbox();
  const { producer, submit, redis, prefix } = await openQueue(sandbox);
  await producer.setLimits('work', { depth: { max: 1 }, tenants: { depth: 5 } });
  await submit();
  const again = () => producer.submit({ type: TYPE, input: {}, tenant: 'acme', idempotencyKey: 'once' });
  const keysBefore = await redis.keys(`${prefix}:{work}:*`);
  expect(await refusals([again()])).toBe(1);
  expect(await redis.keys(`${prefix}:{work}:*`)).toEqual(expect.arrayContaining(keysBefore));
  expect(await redis.keys(`${prefix}:{work}:*`)).toHaveLength(keysBefore.length);
  await producer.setLimits('work', {});
  const { id } = await again();
  expect((await again()).id).toBe(id);
});

test.each([{}, { priority: 3 }, { group: 'a' }])(
  'a try under a key whose first one was refused is a try of its own, and no replay of the refusal: %j',
  async (options) => {
    await using sandbox = await openSandbox();
    const { producer, submit } = await openQueue(sandbox);
    await producer.setLimits('work', { depth: { max: 1 } });
    await submit();
    const again = () => producer.submit({ type: TYPE, input: {}, options, idempotencyKey: 'once' });
    expect(await refusals([again(), again()])).toBe(2);
    expect(await refusals([again()])).toBe(1);
    await producer.setLimits('work', {});
    const [first, second] = [await again(), await again()];
    expect([first.replayed, second.replayed]).toEqual([undefined, true]);
    expect([first.state, second.id]).toEqual(['waiting', first.id]);
  },
);

test('a limit that is set or lifted by another process counts from the next submit on', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const other = await openQueue(sandbox);
  await queue.submit();
  await other.producer.setLimits('work', { depth: { max: 1 } });
  expect(await refusals([queue.submit()])).toBe(1);
  await other.producer.setLimits('work', { depth: null });
  await queue.submit();
  await queue.submit();
  expect(await waiting(queue)).toBe(3);
});

test('a queue whose first job has waited too long takes no more', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { id } = await queue.submit();
  await queue.producer.setLimits('work', { oldestWaitMs: { max: 60_000 } });
  await queue.submit();
  await queue.redis.hset(queueKeys(queue.prefix, 'work').job(id), 'timestamp', Date.now() - 90_000);
  expect(await refusals([queue.submit(), queue.submit({}, { priority: 3 })])).toBe(2);
  await expect(queue.submit()).rejects.toThrow(
    'expected queue work to start jobs within 60000 ms, got one that has waited 9',
  );
});

test('shed drops the last job of the lowest priority for one of a higher priority, and refuses the lowest', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 3, policy: 'shed' } });
  const first = await queue.submit({}, { priority: 9 });
  const last = await queue.submit({}, { priority: 9 });
  await queue.submit({}, { priority: 2 });
  expect(await refusals([queue.submit({}, { priority: 9 }), queue.submit({}, { priority: 10 })])).toBe(2);
  await queue.submit({}, { priority: 5 });
  expect(await queue.reader.job(last.id)).toMatchObject({ state: 'failed', error: { code: 'shed' } });
  await queue.submit();
  expect(await queue.reader.job(first.id)).toMatchObject({ state: 'failed', error: { code: 'shed' } });
  expect(await waiting(queue)).toBe(3);
});

test('a flow is taken as a whole or not at all', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 3 } });
  const child = { type: TYPE, input: {}, children: [] };
  const flow = (children: number) => ({ type: TYPE, input: {}, children: times(children, () => child) });
  expect(await refusals([queue.producer.submitFlow(flow(4), { batch: 'b1' })])).toBe(1);
  expect((await queue.reader.queue('work')).counts).toMatchObject({ waiting: 0, blocked: 0 });
  await queue.producer.submitFlow(flow(3), { batch: 'b2' });
  expect((await queue.reader.queue('work')).counts).toMatchObject({ waiting: 3, blocked: 1 });
});

test('a child that is shed fails its parent', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 1, policy: 'shed' } });
  const child = { type: TYPE, input: {}, options: { priority: 7 }, children: [] };
  const { id } = await queue.producer.submitFlow({ type: TYPE, input: {}, children: [child] }, { batch: 'b1' });
  await queue.submit();
  await consume(sandbox, async () => COMPLETED);
  await until('the end', async () => (await queue.reader.job(id)).state === 'failed');
  expect((await queue.reader.job(id)).error).toMatchObject({ code: 'child_failed' });
});

test('parked jobs are accepted, and let in in their order as there is room', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 2, policy: 'park' } });
  const jobs = await Promise.all(times(7, (n) => queue.submit({ n })));
  expect(jobs.map(({ state }) => state)).toEqual([...times(2, () => 'waiting'), ...times(5, () => 'delayed')]);
  expect(await queue.reader.job(jobs[6]?.id ?? '')).toMatchObject({ state: 'delayed' });
  expect(await queue.reader.job(jobs[6]?.id ?? '')).not.toHaveProperty('runAt');
  const prioritized = await queue.submit({ n: 7 }, { priority: 1 });
  expect(prioritized.state).toBe('delayed');
  expect((await queue.reader.queue('work')).counts).toMatchObject({ waiting: 2, delayed: 6 });
  const ran: unknown[] = [];
  const run = async ({ input }: Lease) => {
    ran.push((input as { n: number }).n);
    return COMPLETED;
  };
  await consume(sandbox, run, { concurrency: 1 });
  await until('all ends', async () => (await queue.reader.queue('work')).counts.completed === 8);
  expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('parked jobs are let in at once when the limit is lifted, and can be cancelled before', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await queue.producer.setLimits('work', { depth: { max: 1, policy: 'park' } });
  const jobs = await Promise.all(times(300, () => queue.submit()));
  await queue.producer.cancel(jobs[5]?.id ?? '', 'us');
  const keys = queueKeys(queue.prefix, 'work');
  expect(await letInOnce(queue.redis, keys)).toBe(298);
  await queue.producer.setLimits('work', {});
  expect(await letInOnce(queue.redis, keys)).toBe(0);
  expect(await waiting(queue)).toBe(299);
});

test('a tenant has so many jobs that were not started, whoever submits them, and no other tenant is touched', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { producer, redis, prefix } = queue;
  await producer.setLimits('work', { tenants: { depth: 4 } });
  const submit = (tenant: string, options = {}) => producer.submit({ type: TYPE, input: {}, options, tenant });
  expect(await refusals(times(6, (n) => submit('a', n % 2 ? { priority: 3 } : {})))).toBe(2);
  expect(await refusals(times(3, () => submit('b')))).toBe(0);
  expect(await refusals(times(9, () => queue.submit()))).toBe(0);
  const hold = gate();
  const consumer = await consume(sandbox, () => hold.opened.then(() => COMPLETED), { concurrency: 2 });
  await until('two starts', async () => consumer.running === 2);
  // The two that run are at the head of the list.
  expect(await refusals(times(3, () => submit('a')))).toBeLessThanOrEqual(3);
  hold.open();
  await until('all ends', async () => (await waiting(queue)) === 0);
  await clearTenants(redis, queueKeys(prefix, 'work'), 0);
  expect(await redis.exists(queueKeys(prefix, 'work').tenants)).toBe(0);
});

test('jobs of a tenant that started out of turn free their places by the sweep', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis, prefix } = await openQueue(sandbox);
  await producer.setLimits('work', { tenants: { depth: 2 } });
  const submit = () => producer.submit({ type: TYPE, input: {}, tenant: 'a' });
  await submit();
  await submit();
  // Of two jobs of one millisecond either may be at the head, and what has ended there is cleared by a submit.
  const [last = ''] = await redis.zrevrange(queueKeys(prefix, 'work').tenant('a'), 0, 0);
  await producer.cancel(last, 'us');
  expect(await refusals([submit()])).toBe(1);
  await clearTenants(redis, queueKeys(prefix, 'work'), 0);
  expect(await refusals([submit()])).toBe(0);
});

test('a group has so many jobs in its line', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { producer, redis, prefix } = queue;
  await producer.setLimits('work', { groups: { depth: 3 } });
  // The first ones are let go ahead of the workers, and are in its line no more.
  const ends: number[] = [];
  for (const _ of times(60, Number)) ends.push(await refusals([queue.submit({}, { group: 'a' })]));
  expect(ends.at(-1)).toBe(1);
  expect(Number(await redis.zscore(queueKeys(prefix, 'work').groups, 'a'))).toBe(3);
  expect(await refusals([queue.submit({}, { group: 'b' })])).toBe(0);
});

test('of many jobs that come at once a group takes as many as of those that come one by one', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { producer, redis, prefix } = queue;
  // With a cap that is used up, nothing is let go ahead of the workers.
  await producer.setLimits('work', { groups: { depth: 3, byName: { a: { concurrency: 1 } } } });
  await queue.submit({}, { group: 'a' });
  expect(await refusals(times(60, () => queue.submit({}, { group: 'a' })))).toBe(57);
  expect(Number(await redis.zscore(queueKeys(prefix, 'work').groups, 'a'))).toBe(3);
});

test('a tenant whose first job has waited too long sends no more, and the others do', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis, prefix } = await openQueue(sandbox);
  await producer.setLimits('work', { tenants: { oldestWaitMs: 60_000 } });
  const submit = (tenant: string, options = {}) => producer.submit({ type: TYPE, input: {}, options, tenant });
  const keys = queueKeys(prefix, 'work');
  const waitsFor = (id: string, ms: number) =>
    redis
      .multi()
      .hset(keys.job(id), 'timestamp', Date.now() - ms)
      .zadd(keys.tenant('a'), Date.now() - ms, id)
      .exec();
  const delayed = await submit('a', { delayMs: 3_600_000 });
  const first = await submit('a');
  await submit('b');
  await waitsFor(delayed.id, 90_000);
  expect(await refusals([submit('a')])).toBe(0);
  await waitsFor(first.id, 90_000);
  expect(await refusals([submit('a'), submit('a', { priority: 3 }), submit('b')])).toBe(2);
  await expect(submit('a')).rejects.toThrow(
    "expected queue work to start a tenant's jobs within 60000 ms, got one that",
  );
  await producer.cancel(first.id, 'us');
  expect(await refusals([submit('a')])).toBe(0);
});

test('a group whose first job has waited too long in its line takes no more, and the others do', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { producer, redis, prefix } = queue;
  const keys = queueKeys(prefix, 'work');
  await producer.setLimits('work', { groups: { oldestWaitMs: 60_000, default: { concurrency: 1 } } });
  const grouped = (group: string) => queue.submit({}, { group });
  const letGo = await grouped('a');
  const first = await grouped('a');
  await redis.hset(keys.job(letGo.id), 'timestamp', Date.now() - 90_000);
  expect(await refusals([grouped('a')])).toBe(0);
  await redis.hset(keys.job(first.id), 'timestamp', Date.now() - 90_000);
  expect(await refusals([grouped('a'), grouped('b'), queue.submit()])).toBe(1);
  await expect(grouped('a')).rejects.toThrow(
    "expected queue work to start a group's jobs within 60000 ms, got one that",
  );
  await producer.setLimits('work', { groups: {}, tenants: {} });
  expect(await refusals([grouped('a')])).toBe(0);
  expect(await redis.hget(keys.meta, 'admission')).toBeNull();
});

test('those who are refused are told when the excess has drained, one after the other', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix } = await openQueue(sandbox);
  const drainPerSecond = async () => 2;
  const producer = createProducer({ redis, prefix, onError: () => undefined, drainPerSecond, now: () => 1_000_000 });
  sandbox.defer(() => producer.close());
  await producer.setLimits('work', { depth: { max: 4 } });
  const submit = (type: JobType = TYPE) => producer.submit({ type, input: {} });
  await Promise.all(times(4, () => submit()));
  const told: number[] = [];
  for (const _ of times(8, Number)) await submit().catch(({ retryAfterS }) => told.push(retryAfterS));
  expect(told).toEqual([1, 1, 2, 2, 3, 3, 3, 3]);
});
