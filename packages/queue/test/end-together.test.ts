import { Worker } from '@spillway/bullmq';
import { openSandbox, until } from '@spillway/testkit';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

test('jobs that end in the same moment all end, each with its own result', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const jobs = await Promise.all(Array.from({ length: 60 }, (_, n) => submit({ n })));
  const all = gate();
  let started = 0;
  await consume(
    sandbox,
    async ({ input }) => {
      started += 1;
      if (started === 20) all.open();
      await all.opened;
      const { n } = input as { n: number };
      if (n % 7 !== 0) return { kind: 'completed', result: n };
      return { kind: 'failed', error: { code: 'handler_failed', message: `no ${n}` }, retry: false };
    },
    { concurrency: 20 },
  );
  await until('all ends', async () => {
    const { completed, failed } = (await reader.queue(TYPE.queue)).counts;
    return completed + failed === jobs.length;
  });
  for (const [n, { id }] of jobs.entries()) {
    const expected =
      n % 7 === 0 ? { state: 'failed', error: { message: `no ${n}` } } : { state: 'completed', result: n };
    expect(await reader.job(id)).toMatchObject(expected);
  }
});

test('an end that is refused is refused alone', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const [stolen, broken, fine] = [await submit(), await submit(), await submit()];
  const held = gate();
  const release = gate();
  let started = 0;
  await consume(sandbox, async ({ reports }) => {
    started += 1;
    if (started === 3) held.open();
    await release.opened;
    reports.log('the last line');
    return COMPLETED;
  });
  await held.opened;
  const keys = queueKeys(prefix, TYPE.queue);
  await redis.set(keys.lock(stolen.id), 'another worker');
  // The engine's script itself fails for this one: it expects a set where the job's children stand.
  await redis.set(`${keys.job(broken.id)}:dependencies`, 'no set');
  release.open();
  await until('the end of the third', async () => (await reader.job(fine.id)).state === 'completed');
  expect((await reader.job(stolen.id)).state).toBe('active');
  expect((await reader.snapshot(stolen.id)).log).toEqual([]);
  // The engine then ends it as failed, which does not look at children.
  await until('the end of the second', async () => (await reader.job(broken.id)).finishedAt);
  expect(await reader.job(broken.id)).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('WRONGTYPE') },
  });
  for (const { id } of [broken, fine])
    expect((await reader.snapshot(id)).log.map(({ line }) => line)).toEqual(['the last line']);
});

test("a job that ended here looks as one that the engine's own worker ended", async () => {
  await using ours = await openSandbox();
  await using engines = await openSandbox();
  const [here, there] = [await openQueue(ours), await openQueue(engines)];
  const [{ id }, { id: other }] = [await here.submit({ n: 1 }), await there.submit({ n: 1 })];
  await consume(ours, async () => ({ kind: 'completed', result: { sum: 2 } }));
  const worker = new Worker(engineName(TYPE.queue), async () => ({ sum: 2 }), {
    connection: await engines.connect('worker'),
    prefix: engines.prefix,
    name: 'w1',
    skipStalledCheck: true,
  });
  engines.defer(() => worker.close());
  const ended = async ({ redis, prefix }: typeof here, job: string) => {
    const keys = queueKeys(prefix, TYPE.queue);
    await until('the end', async () => (await redis.zscore(keys.completed, job)) !== null);
    const events = await redis.xrange(keys.events, '-', '+');
    return {
      record: Object.keys(await redis.hgetall(keys.job(job))).sort(),
      result: await redis.hget(keys.job(job), 'returnvalue'),
      events: events.map(([, fields]) => fields.map((field) => (field === job ? 'the job' : field))),
      keys: (await redis.keys(`${keys.base}*`)).map((key) => key.replace(prefix, '').replace(job, 'the job')).sort(),
    };
  };
  const mine = await ended(here, id);
  expect(mine).toEqual(await ended(there, other));
  expect(mine.result).toBe('{"sum":2}');
});
