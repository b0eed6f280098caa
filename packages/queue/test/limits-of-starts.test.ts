import { openSandbox, until } from '@spillway/testkit';
import type { Redis } from '../src/connection.ts';
import type { Outcome } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openQueue } from './fixture.ts';

const ERROR = { code: 'handler_failed', message: 'no' } as const;

/** Counts in Redis how many handlers run at once, whichever worker they belong to, and keeps the highest count. */
function countRunning(redis: Redis, prefix: string) {
  const key = `${prefix}:test:running`;
  const seen: number[] = [];
  return {
    seen,
    now: async () => Number((await redis.get(key)) ?? 0),
    async run<T>(work: () => Promise<T>): Promise<T> {
      seen.push(await redis.incr(key));
      try {
        return await work();
      } finally {
        await redis.decr(key);
      }
    },
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

test('three consumers never run more jobs at once than the queue allows', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader, submit } = await openQueue(sandbox);
  await producer.setLimits('work', { concurrency: 4 });
  const running = countRunning(redis, prefix);
  const run = () => running.run(() => turn().then(() => COMPLETED));
  for (const workerId of ['w1', 'w2', 'w3']) await consume(sandbox, run, { workerId });
  await Promise.all(Array.from({ length: 200 }, () => submit()));
  await until('all ends', async () => (await reader.queue('work')).counts.completed === 200);
  expect(Math.max(...running.seen)).toBe(4);
});

test('a limit that is lifted wakes workers, and one that is lowered lets nothing more start', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader, submit } = await openQueue(sandbox);
  await producer.setLimits('work', { concurrency: 1 });
  const running = countRunning(redis, prefix);
  const hold = gate();
  const run = () => running.run(() => hold.opened.then(() => COMPLETED));
  for (const workerId of ['w1', 'w2']) await consume(sandbox, run, { workerId });
  await Promise.all(Array.from({ length: 30 }, () => submit()));
  await until('one start', async () => (await running.now()) === 1);
  await producer.setLimits('work', { concurrency: 8 });
  await until('eight starts', async () => (await running.now()) === 8);
  await producer.setLimits('work', { concurrency: 2 });
  expect((await reader.queue('work')).limits).toEqual({ concurrency: 2 });
  const before = running.seen.length;
  hold.open();
  await until('all ends', async () => (await reader.queue('work')).counts.completed === 30);
  expect(Math.max(...running.seen.slice(before))).toBeLessThanOrEqual(8);
  expect(Math.max(...running.seen.slice(-10))).toBeLessThanOrEqual(2);
});

test('a window takes no more starts than the rate allows, and a lifted rate is noticed', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  await producer.setLimits('work', { rate: { max: 5, perMs: 3_600_000 } });
  for (const workerId of ['w1', 'w2']) await consume(sandbox, async () => COMPLETED, { workerId });
  await Promise.all(Array.from({ length: 20 }, () => submit()));
  await until('the first window is used', async () => (await reader.queue('work')).counts.completed === 5);
  await producer.setLimits('work', { rate: { max: 7, perMs: 3_600_000 } });
  await until('the raised rate is used', async () => (await reader.queue('work')).counts.completed === 7);
  expect((await reader.queue('work')).counts.waiting).toBe(13);
  await producer.setLimits('work', {});
  await until('all ends', async () => (await reader.queue('work')).counts.completed === 20);
});

test('a window that has begun ends when a shorter one is asked for', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer } = await openQueue(sandbox);
  const { limiter } = queueKeys(prefix, 'work');
  await producer.setLimits('work', { rate: { max: 5, perMs: 3_600_000 } });
  await redis.set(limiter, 5, 'PX', 3_600_000);
  await producer.setLimits('work', { rate: { max: 5, perMs: 1000 } });
  expect(await redis.pttl(limiter)).toBeLessThanOrEqual(1000);
  await producer.setLimits('work', { rate: null });
  expect(await redis.exists(limiter)).toBe(0);
});

test('a job that waits for its next attempt gives its place to one that a sleeping worker can start', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, submit } = await openQueue(sandbox);
  await producer.setLimits('work', { concurrency: 1 });
  const hold = gate();
  const fail = async (): Promise<Outcome> => {
    await hold.opened;
    return { kind: 'failed', error: ERROR, retry: true, retryAfterMs: 60_000 };
  };
  const first = await consume(sandbox, fail, { concurrency: 1 });
  await submit({}, { attempts: 2 });
  await until('the start', async () => first.running === 1);
  const second = await submit();
  // Nobody is left to fetch the next job in the step that ends this attempt.
  const stopped = first.stop(10_000);
  hold.open();
  await stopped;
  const { marker, wait } = queueKeys(prefix, 'work');
  expect(await redis.lrange(wait, 0, -1)).toEqual([second.id]);
  expect(await redis.zscore(marker, '0')).toBe('0');
});

test('limits are replaced as a whole, and null is none', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader } = await openQueue(sandbox);
  const { meta } = queueKeys(prefix, 'work');
  expect((await reader.queue('work')).limits).toBeUndefined();
  await producer.setLimits('work', { concurrency: 3, rate: { max: 10, perMs: 1000 } });
  expect(await redis.hmget(meta, 'concurrency', 'max', 'duration')).toEqual(['3', '10', '1000']);
  expect(await producer.setLimits('work', { concurrency: 2, rate: null })).toEqual({ concurrency: 2 });
  expect(await redis.hmget(meta, 'concurrency', 'max', 'duration')).toEqual(['2', null, null]);
  await producer.setLimits('work', { concurrency: null });
  expect((await reader.queue('work')).limits).toBeUndefined();
});
