import { Queue, Worker } from '@spillway/bullmq';
import { openSandbox, until } from '@spillway/testkit';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import { createAdmission } from '../src/producer/admission.ts';
import { createIntake } from '../src/producer/intake.ts';
import { openQueue, TYPE } from './fixture.ts';

/** Everything that is stored under a prefix, with ids and times taken out. */
async function contents(
  redis: Awaited<ReturnType<Awaited<ReturnType<typeof openSandbox>>['connect']>>,
  prefix: string,
  id: string,
) {
  const keys = queueKeys(prefix, TYPE.queue);
  // A job's number in line is ours; the engine has none.
  const { timestamp, n: _number, ...record } = await redis.hgetall(keys.job(id));
  return {
    record,
    isRecent: Number(timestamp) > 1_600_000_000_000,
    wait: (await redis.lrange(keys.wait, 0, -1)).map((member) => member === id),
    marker: await redis.zrange(keys.marker, '0', '-1', 'WITHSCORES'),
    names: (await redis.keys(`${prefix}:*`)).map((key) => key.slice(prefix.length).replace(id, 'ID')).sort(),
  };
}

test('a submitted job lies in Redis as if the engine itself had added it', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const ours = await submit({ text: 'Grüße', n: [1, null] }, { attempts: 3, backoff: { type: 'fixed', delayMs: 5 } });

  const theirPrefix = `${prefix}:theirs`;
  const queue = new Queue(engineName(TYPE.queue), { connection: redis, prefix: theirPrefix });
  sandbox.defer(() => queue.close());
  await queue.waitUntilReady();
  const options = { attempts: 3, backoff: { type: 'fixed', delay: 5 } };
  const theirs = await queue.add(TYPE.type, { text: 'Grüße', n: [1, null] }, { ...options, jobId: ours.id });

  const [mine, engine] = await Promise.all([
    contents(redis, prefix, ours.id),
    contents(redis, theirPrefix, theirs.id!),
  ]);
  expect(JSON.parse(mine.record.opts!)).toEqual(options);
  // The engine stores the id in the options too, counts jobs, and keeps its settings beside the queue.
  expect({ ...mine.record, opts: '' }).toEqual({ ...engine.record, opts: '' });
  expect({ ...mine, record: {}, names: [] }).toEqual({ ...engine, record: {}, names: [] });
  expect(engine.names.filter((name) => !mine.names.some((own) => own === name))).toEqual([
    ':{work}:id',
    ':{work}:meta',
  ]);
});

test('a plain engine worker runs what was submitted, also when it was idle', async () => {
  await using sandbox = await openSandbox();
  const { submit, prefix } = await openQueue(sandbox);
  const ran: unknown[] = [];
  const worker = new Worker(engineName(TYPE.queue), async (job) => ran.push([job.id, job.name, job.data]), {
    connection: await sandbox.connect('worker'),
    prefix,
  });
  sandbox.defer(() => worker.close());
  await worker.waitUntilReady();
  const first = await submit({ n: 1 });
  await until('the first job', () => ran.length === 1);
  const second = await submit({ n: 2 });
  await until('the second job', () => ran.length === 2);
  expect(ran).toEqual([
    [first.id, TYPE.type, { n: 1 }],
    [second.id, TYPE.type, { n: 2 }],
  ]);
});

test('many submits of one turn keep their order and are all stored', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const jobs = await Promise.all(Array.from({ length: 1234 }, (_, n) => submit({ n })));
  const waiting = await redis.lrange(queueKeys(prefix, TYPE.queue).wait, 0, -1);
  expect(waiting.reverse()).toEqual(jobs.map(({ id }) => id));
});

test('a job that is sent twice is stored once', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, reader } = await openQueue(sandbox);
  const intake = createIntake({ redis, prefix, admission: createAdmission({ now: Date.now }) });
  const job = { id: 'work.01ARZ3NDEKTSV4RRFFQ69G5FAV', type: 'a', input: '{"n":1}', options: '{}', timestamp: 1 };
  await intake.store('work', job);
  await intake.store('work', { ...job, input: '{"n":2}' });
  expect(await reader.queue('work')).toMatchObject({ counts: { waiting: 1 } });
  expect((await reader.job(job.id)).input).toEqual({ n: 1 });
});

test('a queue at its global limit, or paused, wakes no worker', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix, producer } = await openQueue(sandbox);
  const { marker, meta, active } = queueKeys(prefix, TYPE.queue);
  await redis.hset(meta, 'concurrency', 1);
  await redis.lpush(active, 'somebody');
  await submit();
  expect(await redis.exists(marker)).toBe(0);
  await redis.del(active);
  await submit();
  expect(await redis.exists(marker)).toBe(1);
  await producer.pause('work');
  await submit();
  expect(await redis.exists(marker)).toBe(0);
});
