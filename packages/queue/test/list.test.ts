import type { Job } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import type { ListQuery, Reader } from '../src/reader/index.ts';
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
