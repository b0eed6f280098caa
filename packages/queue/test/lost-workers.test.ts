import { openSandbox, redisUrl, until } from '@spillway/testkit';
import { recover } from '../src/consumer/lost-workers.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, connectOver, consume, gate, openFeed, openQueue } from './fixture.ts';
import { openRedisProxy } from './redis-proxy.ts';

/** A handler that says that it runs, and never ends. */
const hold = (started: { open: () => void }) => () => {
  started.open();
  return new Promise<never>(() => undefined);
};

/** Takes leases away as if they had run out, and looks at once. */
async function loseLeases({ redis, prefix }: Awaited<ReturnType<typeof openQueue>>, ...ids: string[]) {
  const keys = queueKeys(prefix, 'work');
  await redis.del(keys.looked, ...ids.map((id) => `${keys.job(id)}:lock`));
  await recover(redis, keys);
}

test('a job whose worker is lost runs on another one, with no attempt spent and the loss in its history', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await queue.submit({}, { attempts: 2, backoff: { type: 'fixed', delayMs: 1 } });
  await feed.follow(id);
  const [started, again] = [gate(), gate()];
  await consume(sandbox, hold(started), { concurrency: 1 });
  await started.opened;
  await loseLeases(queue, id);
  expect(await queue.reader.job(id)).toMatchObject({
    state: 'waiting',
    attempt: 1,
    attempts: 3,
    history: [{ attempt: 1, worker: 'w1', error: { code: 'lost_worker', message: expect.stringContaining('w1') } }],
  });
  await consume(
    sandbox,
    async ({ attempt, failures }) => {
      if (attempt === 3) return { kind: 'completed', result: failures };
      again.open();
      return { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: true };
    },
    { workerId: 'w2' },
  );
  await again.opened;
  await until('the end', async () => (await queue.reader.job(id)).finishedAt);
  const job = await queue.reader.job(id);
  expect(job).toMatchObject({ state: 'completed', attempt: 3, attempts: 3, result: 1, worker: 'w2' });
  expect(job.history).toMatchObject([
    { attempt: 1, worker: 'w1', error: { code: 'lost_worker' } },
    { attempt: 2, worker: 'w2', error: { code: 'handler_failed' } },
  ]);
  await until('the last event', () => events.some((event) => event.kind === 'state' && event.state === 'completed'));
  const told = events.flatMap((event) => (event.kind === 'state' && event.ended ? [event] : []));
  expect(told).toMatchObject([
    { state: 'waiting', ended: job.history?.[0] },
    { state: 'delayed', ended: job.history?.[1], error: { code: 'handler_failed' }, runAt: expect.any(String) },
  ]);
});

test('a job that loses its worker a fourth time ends as failed, without a worker to tell, and a retry forgives it', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { id } = await queue.submit();
  for (const attempt of [1, 2, 3, 4]) {
    const started = gate();
    await consume(sandbox, hold(started), { workerId: `w${attempt}`, concurrency: 1 });
    await started.opened;
    await loseLeases(queue, id);
  }
  const job = await queue.reader.job(id);
  expect(job).toMatchObject({
    state: 'failed',
    attempt: 4,
    attempts: 4,
    error: { code: 'lost_worker', message: 'lost its worker 4 times: w1, w2, w3, w4' },
  });
  expect(job.history?.map(({ worker, error }) => [worker, error.code])).toEqual(
    ['w1', 'w2', 'w3', 'w4'].map((worker) => [worker, 'lost_worker']),
  );
  expect(await queue.producer.retry(id)).toEqual({ done: true });
  const started = gate();
  await consume(sandbox, hold(started), { workerId: 'w5', concurrency: 1 });
  await started.opened;
  await loseLeases(queue, id);
  expect(await queue.reader.job(id)).toMatchObject({ state: 'waiting', attempt: 5, attempts: 6 });
});

test('a job with a lease is left alone, however often somebody looks', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { id } = await queue.submit();
  const [started, finish] = [gate(), gate()];
  await consume(sandbox, async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  await started.opened;
  for (let look = 0; look < 5; look += 1) {
    await queue.redis.del(queueKeys(queue.prefix, 'work').looked);
    await recover(queue.redis, queueKeys(queue.prefix, 'work'));
  }
  finish.open();
  await until('the end', async () => (await queue.reader.job(id)).finishedAt);
  const job = await queue.reader.job(id);
  expect(job).toMatchObject({ state: 'completed', attempt: 1, attempts: 1 });
  expect(job).not.toHaveProperty('history');
});

test('the answer to a completion is lost: that job and the one that came with the answer both end once', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const redis = await connectOver(proxy.url, sandbox, 'worker');
  const [first, second] = [await queue.submit({ n: 1 }), await queue.submit({ n: 2 })];
  for (const { id } of [first, second]) await feed.follow(id);
  const runs: string[] = [];
  await consume(
    sandbox,
    async ({ id }) => {
      runs.push(id);
      // The next thing that Redis answers on this connection is that the job is completed, and here is the next one.
      if (id === first.id) proxy.loseNextReply();
      return { kind: 'completed', result: runs.length };
    },
    { redis, concurrency: 1 },
  );
  await until('the engine to have taken the second', async () => (await queue.reader.job(second.id)).attempt === 1);
  await loseLeases(queue, second.id);
  await until('both ends', async () => {
    const ends = await Promise.all([first, second].map(({ id }) => queue.reader.job(id)));
    return ends.every(({ state }) => state === 'completed');
  });
  expect(runs).toEqual([first.id, second.id]);
  const ends = () =>
    events.filter((event) => event.kind === 'state' && event.state === 'completed').map(({ job }) => job);
  await until('both to be told', () => ends().length >= 2);
  expect(ends()).toEqual([first.id, second.id]);
});
