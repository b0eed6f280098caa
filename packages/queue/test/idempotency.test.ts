import type { JobOptions } from '@spillway/contracts';
import { openProxy, openSandbox, type Sandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { createProducer } from '../src/producer/index.ts';
import { COMPLETED, connectOver, consume, openQueue, TYPE } from './fixture.ts';
import { openRedisProxy } from './redis-proxy.ts';

const OTHER = { ...TYPE, type: 'test.other', queue: 'other' };
/** One for each way into a queue. */
const WAYS: JobOptions[] = [{}, { delayMs: 60_000 }, { priority: 3, tags: ['red'] }, { dedupe: { key: 'order-17' } }];

async function open(sandbox: Sandbox) {
  const queue = await openQueue(sandbox);
  const { producer, redis, prefix } = queue;
  const keyed = (input: unknown = {}, options: JobOptions = {}, more: { tenant?: string; key?: string } = {}) =>
    producer.submit({ type: TYPE, input, options, tenant: more.tenant, idempotencyKey: more.key ?? 'k1' });
  /** How many jobs the queue holds, in whatever state. */
  const stored = async (name = TYPE.queue) => {
    const { counts } = await queue.reader.queue(name);
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  };
  /** The time that each key of an idempotency key has left, by what it is. */
  const expiries = async () => {
    const keys = await redis.keys(`${prefix}:*`);
    const own = keys.filter((key) => /claim:|submitted:/.test(key));
    return Promise.all(own.map(async (key) => ({ key, seconds: await redis.ttl(key) })));
  };
  return { ...queue, keyed, stored, expiries };
}

/** A producer of another process, in a way: over a connection of its own through `url`. */
async function otherProducer(sandbox: Sandbox, url: string) {
  const redis = await connectOver(url, sandbox);
  const producer = createProducer({ redis, prefix: sandbox.prefix, onError: () => undefined });
  sandbox.defer(() => producer.close());
  return producer;
}

test.each(WAYS)(
  'the same key and submission (%j) is the same job, while it waits and after its end',
  async (options) => {
    await using sandbox = await openSandbox();
    const { keyed, stored, reader, producer } = await open(sandbox);
    const first = await keyed({ b: 1, a: { y: 2, x: [1, 2] } }, options);
    expect(first).not.toHaveProperty('replayed');
    const again = await keyed({ a: { x: [1, 2], y: 2 }, b: 1 }, options);
    expect(again).toMatchObject({ id: first.id, replayed: true, state: first.state, createdAt: first.createdAt });
    expect(again).not.toHaveProperty('deduplicated');
    await producer.cancel(first.id, 'ann');
    expect(await keyed({ b: 1, a: { y: 2, x: [1, 2] } }, options)).toMatchObject({ id: first.id, state: 'cancelled' });
    expect(await stored()).toBe(1);
    expect((await reader.job(first.id)).input).toEqual({ b: 1, a: { y: 2, x: [1, 2] } });
  },
);

test.each(WAYS)('the key (%j) outlives its job: a removed one is named and not made again', async (options) => {
  await using sandbox = await openSandbox();
  const { keyed, stored, producer } = await open(sandbox);
  const first = await keyed({ n: 1 }, options);
  await producer.remove(first.id);
  const { id, removed, replayed, createdAt } = await keyed({ n: 1 }, options);
  expect({ id, removed, replayed, createdAt }).toEqual({
    id: first.id,
    removed: true,
    replayed: true,
    createdAt: first.createdAt,
  });
  expect(await stored()).toBe(0);
});

test('a key that was used with another input, option or type is refused, whatever queue that is in', async () => {
  await using sandbox = await openSandbox();
  const { keyed, stored, producer } = await open(sandbox);
  await keyed({ n: 1 });
  const refused = { code: 'idempotency_key_reused' };
  await expect(keyed({ n: 2 })).rejects.toMatchObject(refused);
  await expect(keyed({ n: 1 }, { priority: 1 })).rejects.toMatchObject(refused);
  await expect(producer.submit({ type: OTHER, input: { n: 1 }, idempotencyKey: 'k1' })).rejects.toMatchObject(refused);
  await expect(producer.claimBatch({ key: 'k1', tenant: undefined }, [])).rejects.toMatchObject(refused);
  expect(await stored()).toBe(1);
  expect(await stored(OTHER.queue)).toBe(0);
});

test('keys of tenants have nothing to do with each other', async () => {
  await using sandbox = await openSandbox();
  const { keyed } = await open(sandbox);
  const jobs = [await keyed(), await keyed({}, {}, { tenant: 'a' }), await keyed({ n: 2 }, {}, { tenant: 'b' })];
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(3);
});

test('a key is remembered for a day and the delay of its job, and then it is new', async () => {
  await using sandbox = await openSandbox();
  const { keyed, expiries, redis } = await open(sandbox);
  const first = await keyed();
  await keyed({}, { delayMs: 7_200_000 }, { key: 'later' });
  const seconds = (await expiries()).map((each) => Math.ceil(each.seconds / 100) * 100).sort();
  expect(seconds).toEqual([86_400, 86_400, 93_600, 93_600]);
  for (const { key } of await expiries()) await redis.pexpire(key, 1);
  await until('the keys to expire', async () => (await expiries()).length === 0);
  const second = await keyed({ n: 'another' });
  expect(second.id).not.toBe(first.id);
  expect(second).not.toHaveProperty('replayed');
});

test('many submits at once under one key, through two connections, are one job', async () => {
  await using sandbox = await openSandbox();
  const { producer, stored } = await open(sandbox);
  const second = await otherProducer(sandbox, sandbox.redisUrl);
  for (const [n, options] of WAYS.entries()) {
    const submission = { type: TYPE, input: { n }, options, idempotencyKey: `k${n}` };
    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, turn) => (turn % 2 ? producer : second).submit(submission)),
    );
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(jobs.filter(({ replayed }) => !replayed)).toHaveLength(1);
  }
  expect(await stored()).toBe(WAYS.length);
});

test.each(WAYS)('a submit (%j) that died between claim and job is completed by its repeat', async (options) => {
  await using sandbox = await openSandbox();
  const { keyed, stored, reader } = await open(sandbox);
  await using proxy = await openProxy([sandbox.redisUrl]);
  const dying = await otherProducer(sandbox, proxy.url.replace('http', 'redis'));
  const reached = proxy.stopBefore(':submitted:');
  const lost = dying.submit({ type: TYPE, input: { n: 1 }, options, idempotencyKey: 'k1' }).catch(() => 'lost');
  await reached;
  expect(await stored()).toBe(0);
  const { id } = await keyed({ n: 1 }, options);
  expect((await reader.job(id)).input).toEqual({ n: 1 });
  // What was sent by the dead comes late after all: on the next connection.
  proxy.reset();
  await lost;
  expect((await keyed({ n: 1 }, options)).id).toBe(id);
  expect(await stored()).toBe(1);
});

test.each([...WAYS, { delayMs: 60_000, tags: ['red'] }])(
  'a submit without a key (%j) whose reply is lost is one job',
  async (options) => {
    await using sandbox = await openSandbox();
    const { stored } = await open(sandbox);
    await using proxy = await openRedisProxy(sandbox.redisUrl);
    const producer = await otherProducer(sandbox, proxy.url);
    // Scripts are known and the queue is open: the reply that is lost is that of the job.
    await producer.submit({
      type: TYPE,
      input: {},
      options: { ...options, ...(options.dedupe && { dedupe: { key: 'first' } }) },
    });
    proxy.loseNextReply();
    await producer.submit({ type: TYPE, input: { n: 2 }, options });
    expect(await stored()).toBe(2);
  },
);

test('a keyed submit whose replies are lost is no replay', async () => {
  await using sandbox = await openSandbox();
  const { stored } = await open(sandbox);
  await using proxy = await openRedisProxy(sandbox.redisUrl);
  const producer = await otherProducer(sandbox, proxy.url);
  proxy.loseNextReply();
  const job = await producer.submit({ type: TYPE, input: {}, idempotencyKey: 'k1' });
  expect(job).not.toHaveProperty('replayed');
  expect(await stored()).toBe(1);
});

test('a job that was replayed runs once', async () => {
  await using sandbox = await openSandbox();
  const { keyed, reader } = await open(sandbox);
  const ran: string[] = [];
  await consume(sandbox, async ({ id }) => {
    ran.push(id);
    return COMPLETED;
  });
  const { id } = await keyed();
  await until('the end', async () => (await reader.job(id)).state === 'completed');
  expect(await keyed()).toMatchObject({ id, state: 'completed' });
  const other = await keyed({}, {}, { key: 'k2' });
  await until('the other job', () => ran.includes(other.id));
  expect(ran).toEqual([id, other.id]);
});

test('a batch that was broken off is completed under its key: nothing is missing, nothing doubled', async () => {
  await using sandbox = await openSandbox();
  const { producer, stored } = await open(sandbox);
  const body = Array.from({ length: 250 }, (_, n) => ({ n }));
  const use = { key: 'b1', tenant: undefined };
  const submit = (batch: Awaited<ReturnType<typeof producer.claimBatch>>, from: number, to: number) =>
    Promise.all(
      body
        .slice(from, to)
        .map((input, n) =>
          producer.submit({ type: TYPE, input, batch: batch.id, claim: batch.place(from + n, TYPE.queue) }),
        ),
    );
  const first = await producer.claimBatch(use, body);
  const begun = await submit(first, 0, 120);
  await producer.remove(begun[7]!.id);

  const second = await producer.claimBatch(use, body);
  expect(second).toMatchObject({ id: first.id, replayed: true, entries: undefined });
  const all = await submit(second, 0, 250);
  expect(all.slice(0, 120).map(({ id }) => id)).toEqual(begun.map(({ id }) => id));
  expect(new Set(all.map(({ id }) => id)).size).toBe(250);
  expect(await stored()).toBe(249);

  const entries = all.map(({ id }) => ({ id }));
  expect(await second.settle(entries)).toEqual(entries);
  expect(await first.settle([])).toEqual(entries);
  expect(await producer.claimBatch(use, body)).toMatchObject({ id: first.id, entries });
});

test('what a key leaves behind lies in two slots: its own, and that of the queue', async () => {
  await using sandbox = await openSandbox();
  const { keyed, expiries, prefix } = await open(sandbox);
  await keyed();
  const { base } = queueKeys(prefix, TYPE.queue);
  const names = (await expiries()).map(({ key }) => key.replace(prefix, '').replace(/[\w-]{43}/, 'DIGEST'));
  expect(names.sort()).toEqual([`${base.replace(prefix, '')}submitted:DIGEST`, ':{claim:DIGEST}'].sort());
});

test('what became of a batch is remembered, or it is said that Redis cannot be asked', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis } = await open(sandbox);
  const claim = await producer.claimBatch({ key: 'k1', tenant: undefined }, []);
  redis.disconnect();
  await expect(claim.settle([])).rejects.toMatchObject({ code: 'unavailable' });
});
