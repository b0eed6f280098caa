import { openSandbox, until } from '@spillway/testkit';
import { sweep } from '../src/consumer/forget.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { openQueues } from '../src/engine/queue-handles.ts';
import { COMPLETED, consume, openFeed, openQueue, TYPE } from './fixture.ts';
import { argumentsOf } from './script-calls.ts';

const { queue } = TYPE;
const DAY_MS = 86_400_000;

test('what has ended is forgotten with its log, output, steps and labels, a part of it in each call', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader, submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const keys = queueKeys(prefix, queue);
  await consume(
    sandbox,
    async ({ reports, steps }) => {
      reports.log('a line');
      reports.output({ a: 'chunk' });
      await steps.remember('a step', '1');
      return { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: false };
    },
    { concurrency: 50 },
  );
  const jobs = await Promise.all(Array.from({ length: 250 }, () => submit({}, { tags: ['a tag'] })));
  await until('all ends', async () => (await reader.queue(queue)).counts.failed === 250);
  await feed.follow(jobs[0]?.id ?? '');

  const steps = argumentsOf(redis);
  const first = await producer.clean(queue, { state: 'failed', limit: 150 });
  expect(first).toEqual({ removed: 150, more: true, cursor: expect.any(String) });
  // Each of a step's jobs is two arguments, behind two of their own.
  expect(steps.map((args) => (args.length - 2) / 2)).toEqual([100, 50]);
  expect(await producer.clean(queue, { state: 'failed', cursor: first.cursor ?? '' })).toEqual({
    removed: 100,
    more: false,
  });

  expect((await reader.queue(queue)).counts.failed).toBe(0);
  for (const { id } of jobs.slice(0, 5)) {
    await expect(reader.job(id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await redis.exists(keys.job(id), keys.log(id), keys.output(id), keys.steps(id))).toBe(0);
  }
  expect(await redis.zcard(keys.label('tag', 'a tag'))).toBe(0);
  await until('that it is gone', () => events.some(({ kind }) => kind === 'removed'));
});

test('failed and cancelled jobs, which stand together, are told apart, and so are old ends and new ones', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader, submit } = await openQueue(sandbox);
  const keys = queueKeys(prefix, queue);
  const [old, fresh, failed] = [await submit(), await submit(), await submit()];
  for (const { id } of [old, fresh, failed]) await producer.cancel(id, 'ann');
  await redis.zadd(keys.failed, Date.now() - DAY_MS, old.id);
  await redis.hset(keys.job(failed.id), 'failedReason', 'handler_failed: no');

  expect(await producer.clean(queue, { state: 'cancelled', olderThanMs: DAY_MS / 2 })).toEqual({
    removed: 1,
    more: false,
  });
  await expect(reader.job(old.id)).rejects.toMatchObject({ code: 'job_not_found' });
  expect(await producer.clean(queue, { state: 'completed' })).toEqual({ removed: 0, more: false });
  expect(await producer.clean(queue, { state: 'failed' })).toEqual({ removed: 1, more: false });
  await expect(reader.job(failed.id)).rejects.toMatchObject({ code: 'job_not_found' });
  expect((await reader.job(fresh.id)).state).toBe('cancelled');
});

test('a cursor that is none is refused, and nothing is forgotten', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  const { id } = await submit();
  await producer.cancel(id, 'ann');
  const asked = producer.clean(queue, { state: 'cancelled', cursor: 'x' });
  await expect(asked).rejects.toMatchObject({ code: 'invalid_request' });
  expect((await reader.job(id)).state).toBe('cancelled');
});

test('what the sweep finds old it forgets in steps of at most 250, however much that is', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, reader, submit } = await openQueue(sandbox);
  const keys = queueKeys(prefix, queue);
  await consume(sandbox, async () => COMPLETED, { concurrency: 200 });
  const jobs = await Promise.all(Array.from({ length: 2_300 }, () => submit()));
  await until('all ends', async () => (await reader.queue(queue)).counts.completed === jobs.length);
  await redis.zadd(keys.completed, ...jobs.flatMap(({ id }) => [Date.now() - 2 * DAY_MS, id]));
  await Promise.all(jobs.map(({ id }) => redis.hset(keys.job(id), 'finishedOn', Date.now() - 2 * DAY_MS)));

  const queues = openQueues(redis, prefix, () => undefined);
  sandbox.defer(() => queues.close());
  const engine = queues.get(queue);
  const forgotten: number[] = [];
  await sweep(
    {
      async clean(...asked) {
        const ids = await engine.clean(...asked);
        forgotten.push(ids.length);
        return ids;
      },
    },
    redis,
    keys,
  );
  // The last one is for those that failed.
  expect(forgotten).toEqual([...Array<number>(9).fill(250), 50, 0]);
  expect((await reader.queue(queue)).counts.completed).toBe(0);
});
