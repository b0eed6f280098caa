import type { JobOptions } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { sweep } from '../src/consumer/forget.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { openQueues } from '../src/engine/queue-handles.ts';
import { createAdmission } from '../src/producer/admission.ts';
import { createIntake } from '../src/producer/intake.ts';
import { COMPLETED, consume, openQueue, TYPE } from './fixture.ts';

const WAYS: [string, JobOptions][] = [
  ['starts at once', {}],
  ['is delayed', { delayMs: 60_000 }],
  ['is prioritized', { priority: 3 }],
];

/** How many jobs each label's index names, by the index's key without its prefix. */
async function indexSizes({ redis, prefix }: Pick<Awaited<ReturnType<typeof openQueue>>, 'redis' | 'prefix'>) {
  const keys = (await redis.keys(`${prefix}:{*}:label:*`)).sort();
  return Object.fromEntries(
    await Promise.all(keys.map(async (key) => [key.slice(prefix.length + 1), await redis.zcard(key)] as const)),
  );
}

test.each(WAYS)('a job that %s is found by each of its labels, and carries them', async (_way, options) => {
  await using sandbox = await openSandbox();
  const { producer, reader } = await openQueue(sandbox);
  const tags = ['red', 'a:b {c}'];
  const job = await producer.submit({
    type: TYPE,
    input: {},
    options: { ...options, tags },
    batch: 'b1',
    tenant: 'shop',
  });
  expect(await reader.job(job.id)).toMatchObject({ tags, batch: 'b1', tenant: 'shop' });
  for (const label of [...tags.map((tag) => ({ tag })), { batch: 'b1' }, { tenant: 'shop' }]) {
    const { jobs, total } = await reader.labelled(label, ['work', 'other'], 10);
    expect([jobs.map((snapshot) => snapshot.job.id), total]).toEqual([[job.id], 1]);
    expect(jobs[0]!.job).toMatchObject({ state: job.state, tags, batch: 'b1', tenant: 'shop' });
  }
  expect(await reader.labelled({ tag: 'b1' }, ['work'], 10)).toEqual({ jobs: [], total: 0 });
});

test('jobs without labels leave nothing behind but themselves', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await Promise.all([queue.submit(), queue.submit({}, { delayMs: 60_000 }), queue.submit({}, { tags: [] })]);
  expect(await queue.redis.keys(`${queue.prefix}:*label*`)).toEqual([]);
  const events = await queue.redis.xrange(queueKeys(queue.prefix, 'work').events, '-', '+');
  expect(JSON.stringify(events)).not.toContain('label');
});

test('labelled and unlabelled jobs of one turn keep their order, and each its own labels', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const jobs = await Promise.all(
    Array.from({ length: 230 }, (_, n) => submit({ n }, n % 3 === 0 ? { tags: ['third', `n${n}`] } : {})),
  );
  const waiting = await redis.lrange(queueKeys(prefix, 'work').wait, 0, -1);
  expect(waiting.reverse()).toEqual(jobs.map(({ id }) => id));
  const thirds = jobs.filter((_, n) => n % 3 === 0).map(({ id }) => id);
  const { jobs: found, total } = await reader.labelled({ tag: 'third' }, ['work'], 100);
  expect(total).toBe(thirds.length);
  expect(new Set(found.map(({ job }) => job.id))).toEqual(new Set(thirds));
  expect((await reader.labelled({ tag: 'n150' }, ['work'], 10)).jobs[0]!.job.id).toBe(jobs[150]!.id);
});

test('a labelled job that is sent twice is filed once, under its first labels', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const intake = createIntake({ ...queue, admission: createAdmission({ now: Date.now }) });
  const job = { id: 'work.01ARZ3NDEKTSV4RRFFQ69G5FAV', type: 'a', input: '{}', options: '{}', timestamp: 1 };
  await intake.store('work', { ...job, labels: '{"tags":["one"]}' });
  await intake.store('work', { ...job, labels: '{"tags":["two"]}' });
  expect(await indexSizes(queue)).toEqual({ '{work}:label:tag:one': 1 });
});

test('a set shows its newest jobs over all queues, without input, result, log and output', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  await consume(sandbox, async ({ reports }) => {
    reports.log('line');
    return { kind: 'completed', result: 'large' };
  });
  const done = await submit({ large: 1 }, { tags: ['t'] });
  await until('its end', async () => (await reader.job(done.id)).state === 'completed');
  let newest = done;
  for (const queue of ['work', 'other', 'work', 'other']) {
    await until('a later millisecond', () => Date.now() > Date.parse(newest.createdAt));
    newest = await submit({}, { tags: ['t'], delayMs: 60_000 }, { ...TYPE, queue });
  }
  const { jobs, total } = await reader.labelled({ tag: 't' }, ['work', 'other'], 4);
  expect(total).toBe(5);
  expect(jobs.map(({ job }) => job.queue)).toEqual(['other', 'work', 'other', 'work']);
  const last = (await reader.labelled({ tag: 't' }, ['work', 'other'], 5)).jobs.at(-1)!;
  expect(last).toMatchObject({
    job: { id: done.id, state: 'completed' },
    log: [],
    output: [],
    cursor: { log: 0, output: 0 },
  });
  expect(last.job).not.toHaveProperty('input');
  expect(last.job).not.toHaveProperty('result');
});

test.each(WAYS)('a removed job that %s leaves every index', async (_way, options) => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const submission = { type: TYPE, input: {}, options: { ...options, tags: ['x', 'y'] }, batch: 'b', tenant: 'shop' };
  const [gone, kept] = [await queue.producer.submit(submission), await queue.producer.submit(submission)];
  await queue.producer.remove(gone.id);
  expect(Object.values(await indexSizes(queue))).toEqual([1, 1, 1, 1]);
  expect((await queue.reader.labelled({ tag: 'x' }, ['work'], 10)).jobs[0]!.job.id).toBe(kept.id);
});

test('jobs that are forgotten by age leave every index, and the others stay', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { redis, prefix, reader, submit } = queue;
  const keys = queueKeys(prefix, 'work');
  await consume(sandbox, async () => COMPLETED);
  const [old, young] = [await submit({}, { tags: ['x', 'old'] }), await submit({}, { tags: ['x'] })];
  const unlabelled = await submit();
  await until('their ends', async () => (await reader.queue('work')).counts.completed === 3);
  for (const { id } of [old, unlabelled]) await redis.zadd(keys.completed, 1, id);

  const queues = openQueues(redis, prefix, () => undefined);
  sandbox.defer(() => queues.close());
  await sweep(queues.get('work'), redis, keys);

  expect(await indexSizes(queue)).toEqual({ '{work}:label:tag:x': 1 });
  expect((await reader.labelled({ tag: 'x' }, ['work'], 10)).jobs[0]!.job.id).toBe(young.id);
});

test('ids whose jobs are gone are dropped by whoever reads the index, but for very young ones', async () => {
  await using sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const { id } = await queue.submit({}, { tags: ['x'] });
  const key = queueKeys(queue.prefix, 'work').label('tag', 'x');
  for (let n = 0; n < 25; n += 1) await queue.redis.zadd(key, Date.now() - 90_000 - n, `work.gone-${n}`);
  await queue.redis.zadd(key, Date.now(), 'work.not-yet');
  const { jobs, total } = await queue.reader.labelled({ tag: 'x' }, ['work'], 10);
  expect([jobs.map(({ job }) => job.id), total]).toEqual([[id], 1]);
  expect(await queue.redis.zrange(key, '0', '-1')).toEqual([id, 'work.not-yet']);
});

test('an index expires, later where a job is due later, and a new job never shortens it', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const key = queueKeys(prefix, 'work').label('tag', 'x');
  await submit({}, { tags: ['x'] });
  const days = async () => Math.round((await redis.ttl(key)) / 86_400);
  expect(await days()).toBe(30);
  await submit({}, { tags: ['x'], delayMs: 10 * 86_400_000 });
  await submit({}, { tags: ['x'] });
  expect(await days()).toBe(40);
});

test('a tenant’s index keeps its newest jobs only', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader } = await openQueue(sandbox);
  const jobs = await Promise.all(
    Array.from({ length: 1040 }, () => producer.submit({ type: TYPE, input: {}, tenant: 'shop' })),
  );
  const { total } = await reader.labelled({ tenant: 'shop' }, ['work'], 1);
  expect([jobs.length, total]).toEqual([1040, 1000]);
});

test('a queue shows what its list shows first, each job at a position, and how many there are', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const [a, b] = [await submit(), await submit()];
  await producer.cancel(a.id, 'ann');
  const { jobs, total } = await reader.queued('work', 10);
  expect(total).toBe(2);
  expect(jobs.map(({ job }) => [job.id, job.state])).toEqual([
    [b.id, 'waiting'],
    [a.id, 'cancelled'],
  ]);
  expect(jobs.every(({ cursor }) => cursor.pos !== '0-0')).toBe(true);
});
