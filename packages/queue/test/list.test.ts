import type { Job } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { createProducer } from '../src/producer/index.ts';
import { createReader, type ListQuery, type Reader } from '../src/reader/index.ts';
import { consume, openQueue, TYPE } from './fixture.ts';

async function allPages(reader: Reader, query: ListQuery, queues: string[]): Promise<{ jobs: Job[]; pages: number }> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await reader.list({ ...query, ...(cursor && { cursor }) }, queues);
    jobs.push(...page.jobs);
    cursor = page.next;
    pages += 1;
  } while (cursor);
  return { jobs, pages };
}

/** Jobs in two queues: some waiting, prioritized, delayed, cancelled, completed. */
async function fill(sandbox: Parameters<typeof openQueue>[0]) {
  const queue = await openQueue(sandbox);
  const other = { ...TYPE, type: 'test.other', queue: 'other' };
  const done: string[] = [];
  for (let n = 0; n < 25; n += 1) done.push((await queue.submit({ n }, { tags: n % 2 ? ['odd'] : ['even'] })).id);
  const consumer = await consume(sandbox, async () => ({ kind: 'completed', result: 'large' }));
  await until('25 completed', async () => (await queue.reader.queue('work')).counts.completed === 25);
  await consumer.stop(0);
  for (let n = 0; n < 7; n += 1) await queue.submit({ n });
  for (let n = 0; n < 7; n += 1) await queue.submit({ n }, { priority: 2 });
  for (let n = 0; n < 7; n += 1) await queue.submit({ n }, { delayMs: 60_000 });
  for (let n = 0; n < 7; n += 1) await queue.producer.cancel((await queue.submit({ n }, {}, other)).id, 'ann');
  return { ...queue, done };
}

test.each([1, 3, 20, 100])('pages of %i list every job once, in the order of the sections', async (limit) => {
  await using sandbox = await openSandbox();
  const { reader } = await fill(sandbox);
  const { jobs } = await allPages(reader, { limit }, ['work', 'other']);
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(53);
  expect(jobs.length).toBe(53);
  const order = jobs.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
  expect(order).toEqual(['waiting', 'delayed', 'cancelled', 'completed']);
  const ends = jobs.flatMap(({ finishedAt }) => finishedAt ?? []);
  expect(ends).toEqual([...ends].sort().reverse());
});

test('filters by state, type, queue and tag let through what fits and nothing else', async () => {
  await using sandbox = await openSandbox();
  const { reader } = await fill(sandbox);
  const count = async (query: Partial<ListQuery>) =>
    (await allPages(reader, { limit: 10, ...query }, ['work', 'other'])).jobs.length;
  expect(await count({ state: 'waiting' })).toBe(14);
  expect(await count({ state: 'cancelled' })).toBe(7);
  expect(await count({ state: 'failed' })).toBe(0);
  expect(await count({ type: 'test.other' })).toBe(7);
  expect(await count({ queue: 'work' })).toBe(46);
  expect(await count({ tag: 'odd' })).toBe(12);
  expect(await count({ tag: 'odd', state: 'waiting' })).toBe(0);
});

test('jobs that start while somebody pages through a line are skipped by nobody', async () => {
  await using sandbox = await openSandbox();
  const { reader, submit, redis, prefix } = await openQueue(sandbox);
  const ids: string[] = [];
  for (let n = 0; n < 30; n += 1) ids.unshift((await submit({ n })).id);
  const first = await reader.list({ limit: 10 }, ['work']);
  // The five oldest are taken and five new ones come in.
  for (let n = 0; n < 5; n += 1) await redis.rpop(`${prefix}:{work}:wait`);
  for (let n = 0; n < 5; n += 1) await submit({ n });
  const { jobs } = await allPages(reader, { limit: 10, cursor: first.next! }, ['work']);
  expect([...first.jobs, ...jobs].map(({ id }) => id)).toEqual(ids.slice(0, 25));
});

test('a cursor that is not ours is refused', async () => {
  await using sandbox = await openSandbox();
  const { reader } = await openQueue(sandbox);
  for (const cursor of [
    'x',
    Buffer.from('{"section":"a"}').toString('base64url'),
    Buffer.from('null').toString('base64url'),
  ]) {
    await expect(reader.list({ limit: 5, cursor }, ['work'])).rejects.toMatchObject({ code: 'invalid_request' });
  }
});

test.each([1, 7, 100])(
  'pages of %i list all jobs with a tag or of a batch, newest first, equal times too',
  async (limit) => {
    await using sandbox = await openSandbox();
    const redis = await sandbox.connect();
    const producer = createProducer({
      redis,
      prefix: sandbox.prefix,
      onError: () => undefined,
      now: () => 1_800_000_000_000,
    });
    const reader = createReader({ redis, prefix: sandbox.prefix });
    const other = { ...TYPE, type: 'test.other', queue: 'other' };
    const jobs = await Promise.all(
      Array.from({ length: 130 }, (_, n) =>
        producer.submit({
          type: n % 2 ? TYPE : other,
          input: {},
          options: { tags: ['t', `n${n}`] },
          batch: `b${n % 3}`,
        }),
      ),
    );
    await producer.submit({ type: TYPE, input: {} });
    const newestFirst = jobs
      .map(({ id }) => id)
      .sort()
      .reverse();
    const list = async (query: Partial<ListQuery>) =>
      (await allPages(reader, { limit, ...query }, ['work', 'other'])).jobs.map(({ id }) => id);
    expect(await list({ tag: 't' })).toEqual(newestFirst);
    const ofBatch = new Set(jobs.filter(({ batch }) => batch === 'b1').map(({ id }) => id));
    expect(await list({ batch: 'b1' })).toEqual(newestFirst.filter((id) => ofBatch.has(id)));
    expect(await list({ tag: 'n4', batch: 'b1' })).toEqual([jobs[4]?.id]);
    expect(await list({ tag: 't', type: 'test.other', state: 'waiting' })).toHaveLength(65);
    expect(await list({ tag: 't', queue: 'work' })).toHaveLength(65);
    expect(await list({ tag: 'none' })).toEqual([]);
    await producer.close();
  },
);

test.each([
  { section: 3, queue: 0, at: 'x' },
  { section: 3, queue: 0, at: {} },
  { section: 0, queue: 0, at: 1.5 },
  { section: 5, queue: 0, at: 1, id: 7 },
  { at: 1, id: 'a' },
  null,
  [],
])('the cursor %j, which is none of ours, is refused', async (place) => {
  await using sandbox = await openSandbox();
  const { reader } = await openQueue(sandbox);
  const cursor = Buffer.from(JSON.stringify(place)).toString('base64url');
  await expect(reader.list({ limit: 5, cursor }, ['work'])).rejects.toMatchObject({ code: 'invalid_request' });
});

test.each([{ section: 0, queue: 0 }, { at: 'x', id: 'a' }, { at: 1 }, 'x'])(
  'the cursor %j of another list is refused beside a tag',
  async (place) => {
    await using sandbox = await openSandbox();
    const { reader } = await openQueue(sandbox);
    const cursor = Buffer.from(JSON.stringify(place)).toString('base64url');
    await expect(reader.list({ tag: 't', limit: 5, cursor }, ['work'])).rejects.toMatchObject({
      code: 'invalid_request',
    });
  },
);
