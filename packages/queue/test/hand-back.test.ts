import { applyEvent } from '@spillway/contracts';
import { openProxy, openSandbox, until } from '@spillway/testkit';
import type { Lease } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, connectOver, consume, gate, openFeed, openQueue } from './fixture.ts';

/** A handler that never ends by itself, and what it got. */
function endless() {
  const started = gate<Lease>();
  const run = (lease: Lease) => {
    started.open(lease);
    return new Promise<never>(() => undefined);
  };
  return { started: started.opened, run };
}

test('a start that was handed back does not count, and what it logged stays', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 1 });
  const { started, run } = endless();
  const first = await consume(sandbox, run);
  const { reports, attempt } = await started;
  reports.log('before');
  expect(attempt).toBe(1);
  await first.stop(0);
  expect(await reader.job(id)).toMatchObject({ state: 'waiting', attempt: 0, attempts: 1 });

  await consume(
    sandbox,
    async (lease) => {
      lease.reports.log(`after, attempt ${lease.attempt}`);
      return COMPLETED;
    },
    { workerId: 'w2' },
  );
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { job, log } = await reader.snapshot(id);
  expect(job).toMatchObject({ state: 'completed', attempt: 1, attempts: 1, worker: 'w2' });
  expect(log.map(({ line }) => line)).toEqual(['before', 'after, attempt 1']);
});

test('attempts that were made before a start that is handed back still count', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 2, backoff: { type: 'fixed', delayMs: 1 } });
  const second = gate();
  const first = await consume(sandbox, async ({ attempt }) => {
    if (attempt === 1) return { kind: 'failed', error: { code: 'handler_failed', message: 'once' }, retry: true };
    second.open();
    return new Promise(() => undefined);
  });
  await second.opened;
  await first.stop(0);
  expect(await reader.job(id)).toMatchObject({ state: 'waiting', attempt: 1, attempts: 2 });
  const fail = { kind: 'failed', error: { code: 'handler_failed', message: 'twice' }, retry: true } as const;
  await consume(sandbox, async () => fail, { workerId: 'w2' });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  expect(await reader.job(id)).toMatchObject({ state: 'failed', attempt: 2, attempts: 2, error: { message: 'twice' } });
});

test('a watcher that folds the events of a hand-back has the same numbers as a snapshot', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const held = await reader.snapshot(id);
  const { started, run } = endless();
  const first = await consume(sandbox, run);
  await started;
  await first.stop(0);
  await consume(sandbox, async () => COMPLETED, { workerId: 'w2' });
  await until('the end', () => events.some((event) => event.kind === 'state' && event.state === 'completed'));
  const folded = events.reduce(applyEvent, held);
  expect(folded.job).toMatchObject({ state: 'completed', attempt: 1 });
  expect((await reader.job(id)).attempt).toBe(1);
});

test('jobs that are handed back are the next of their lines', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  await submit({ name: 'plain' });
  const { started, run } = endless();
  const plain = await consume(sandbox, run, { concurrency: 1 });
  await started;
  await submit({ name: 'plain, later' });
  await plain.stop(0);
  const order: unknown[] = [];
  const second = await consume(
    sandbox,
    async ({ input }) => {
      order.push((input as { name: string }).name);
      return COMPLETED;
    },
    { concurrency: 1, workerId: 'w2' },
  );
  await until('both', () => order.length === 2);
  await second.stop(1000);
  expect(order).toEqual(['plain', 'plain, later']);
});

test('a job with a priority that is handed back goes before its equals, and wakes a worker that waits', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit({ n: 1 }, { priority: 5 });
  const { started, run } = endless();
  const first = await consume(sandbox, run, { concurrency: 1 });
  await started;
  await submit({ n: 2 }, { priority: 5 });
  const keys = queueKeys(prefix, 'work');
  await redis.del(keys.marker);
  await first.stop(0);
  expect(await redis.zrange(keys.prioritized, '0', '0')).toEqual([id]);
  expect(await redis.exists(keys.marker)).toBe(1);
});

test('a job that somebody else holds meanwhile is not handed back', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  const { started, run } = endless();
  const first = await consume(sandbox, run);
  await started;
  await redis.set(`${queueKeys(prefix, 'work').job(id)}:lock`, 'somebody else');
  await first.stop(0);
  expect(await reader.job(id)).toMatchObject({ state: 'active', attempt: 1 });
});

test('a later call cuts the patience of a stop short, and does not prolong it', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit();
  const { started, run } = endless();
  const consumer = await consume(sandbox, run);
  const { signal } = await started;
  const stopped = consumer.stop(3_600_000);
  void consumer.stop(7_200_000);
  expect(signal.aborted).toBe(false);
  void consumer.stop(0);
  await stopped;
  expect(signal.aborted).toBe(true);
  expect((await reader.job(id)).state).toBe('waiting');
});

test('a job that was being fetched when the stop began is handed back, however long others may finish', async () => {
  await using sandbox = await openSandbox();
  await using proxy = await openProxy([sandbox.redisUrl]);
  const { submit, reader } = await openQueue(sandbox);
  const { id: first } = await submit();
  const { id: second } = await submit();
  const [started, finish] = [gate(), gate()];
  let runs = 0;
  const redis = await connectOver(proxy.url.replace('http:', 'redis:'), sandbox, 'worker');
  const consumer = await consume(
    sandbox,
    async () => {
      runs += 1;
      started.open();
      await finish.opened;
      return COMPLETED;
    },
    { concurrency: 1, redis },
  );
  await started.opened;
  proxy.stall();
  finish.open();
  // Its end is on the way now, in one call with the fetch of the next job.
  await until('the first job to end', () => consumer.running === 0);
  const stopped = consumer.stop(3_600_000);
  proxy.heal();
  await stopped;
  expect((await reader.job(first)).state).toBe('completed');
  expect(await reader.job(second)).toMatchObject({ state: 'waiting', attempt: 0, worker: 'w1' });
  expect(runs).toBe(1);
});
