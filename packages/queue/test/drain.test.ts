import { openSandbox, startRedis, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openFeed, openQueue, TYPE } from './fixture.ts';
import { argumentsOf } from './script-calls.ts';

const { queue } = TYPE;

test('what waits ends as cancelled, with who and why, in steps of at most 200', async () => {
  await using sandbox = await openSandbox();
  const { redis, producer, reader, submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const jobs = await Promise.all(Array.from({ length: 1_200 }, () => submit()));
  const urgent = await Promise.all(Array.from({ length: 300 }, () => submit({}, { priority: 2 })));
  const delayed = await submit({}, { delayMs: 60_000 });
  for (const { id } of [jobs[0], urgent[0]] as { id: string }[]) await feed.follow(id);

  const steps = argumentsOf(redis);
  expect(await producer.drain(queue, 'ann', { reason: 'a mistake' })).toEqual({ cancelled: 1_500, more: false });
  const sizes = steps.map((args) => Number(args.at(-1)));
  expect(Math.max(...sizes)).toBe(200);
  expect(sizes.length).toBeGreaterThanOrEqual(8);

  expect((await reader.queue(queue)).counts).toMatchObject({ waiting: 0, delayed: 1, failed: 1_500 });
  for (const { id } of [jobs.at(-1), urgent.at(-1)] as { id: string }[])
    expect(await reader.job(id)).toMatchObject({
      state: 'cancelled',
      error: { code: 'cancelled', message: 'cancelled by ann: a mistake' },
      cancel: { by: 'ann', reason: 'a mistake' },
    });
  expect((await reader.job(delayed.id)).state).toBe('delayed');
  await until('both ends', () => events.filter(({ kind }) => kind === 'state').length === 2);
  expect(events).toMatchObject([{ state: 'cancelled' }, { state: 'cancelled' }]);
});

test('jobs that wait for their time are drained when that is asked for', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  const { id } = await submit({}, { delayMs: 60_000 });
  expect(await producer.drain(queue, 'ann')).toEqual({ cancelled: 0, more: false });
  expect(await producer.drain(queue, 'ann', { delayed: true })).toEqual({ cancelled: 1, more: false });
  expect((await reader.job(id)).state).toBe('cancelled');
});

test('a call ends as many as it may and says that there are more, and those that would start first go first', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  const [first, second, third] = [await submit(), await submit(), await submit()];
  expect(await producer.drain(queue, 'ann', { limit: 2 })).toEqual({ cancelled: 2, more: true });
  for (const { id } of [first, second]) expect((await reader.job(id)).state).toBe('cancelled');
  expect((await reader.job(third.id)).state).toBe('waiting');
  expect(await producer.drain(queue, 'ann', { limit: 2 })).toEqual({ cancelled: 1, more: false });
  expect(await producer.drain(queue, 'ann', { limit: 2 })).toEqual({ cancelled: 0, more: false });
});

test('what a worker runs goes on', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  const started = gate();
  const finish = gate();
  const run = async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  };
  await consume(sandbox, run, { concurrency: 1 });
  const [running, waiting] = [await submit(), await submit()];
  await started.opened;
  expect(await producer.drain(queue, 'ann')).toEqual({ cancelled: 1, more: false });
  finish.open();
  await until('its end', async () => (await reader.job(running.id)).state === 'completed');
  expect((await reader.job(waiting.id)).state).toBe('cancelled');
});

test('a parent that needs a drained child fails, and one that was drained can be retried', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader } = await openQueue(sandbox);
  const node = (children: object[]) => ({ type: TYPE, input: {}, options: {}, children });
  const tree = node([node([])]) as Parameters<typeof producer.submitFlow>[0];
  const flow = await producer.submitFlow(tree, { batch: producer.newBatch() });
  const [child] = flow.children ?? [];
  await producer.drain(queue, 'ann', { limit: 1 });
  expect((await reader.job(child?.id ?? '')).state).toBe('cancelled');
  await consume(sandbox, async () => COMPLETED);
  await until('the end of the parent', async () => (await reader.job(flow.id)).finishedAt);
  expect(await reader.job(flow.id)).toMatchObject({ state: 'failed', error: { code: 'child_failed' } });
  expect(await producer.retry(flow.id)).toEqual({ done: true });
  await until('both ends', async () => (await reader.job(flow.id)).state === 'completed');
});

test('a dedupe key is free after the drain, and what was kept for after the job is dropped with it', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, submit } = await openQueue(sandbox);
  const keys = queueKeys(prefix, queue);
  const options = {
    dedupe: { key: 'account-9', mode: 'keep-last' },
    attempts: 2,
    backoff: { type: 'fixed', delayMs: 60_000 },
  };
  const failed = gate();
  await consume(sandbox, async () => {
    await submit({ n: 2 }, options);
    failed.open();
    return { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: true };
  });
  const { id } = await submit({ n: 1 }, options);
  await failed.opened;
  await until('the pause', async () => (await redis.zscore(keys.delayed, id)) !== null);
  expect(await redis.keys(`${keys.base}dn:*`)).toHaveLength(1);
  expect(await producer.drain(queue, 'ann', { delayed: true })).toEqual({ cancelled: 1, more: false });
  expect(await redis.keys(`${keys.base}d[en]:*`)).toEqual([]);
});

test('a queue is drained while the memory of Redis is full', async () => {
  await using server = await startRedis();
  await using sandbox = await openSandbox(server.url);
  const { redis, producer, reader, submit } = await openQueue(sandbox);
  await Promise.all(Array.from({ length: 50 }, () => submit()));
  expect(await producer.drain(queue, 'ann', { limit: 10 })).toEqual({ cancelled: 10, more: true });
  await redis.config('SET', 'maxmemory', '1mb');
  await expect(submit()).rejects.toThrow(/OOM/);
  expect(await producer.drain(queue, 'ann')).toEqual({ cancelled: 40, more: false });
  expect((await reader.queue(queue)).counts.failed).toBe(50);
  expect(await producer.clean(queue, { state: 'cancelled' })).toMatchObject({ removed: 50 });
});
