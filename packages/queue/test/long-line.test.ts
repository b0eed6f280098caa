import { openSandbox } from '@spillway/testkit';
import type { Redis } from '../src/connection.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { createIds } from '../src/producer/ids.ts';
import { openQueue, TYPE } from './fixture.ts';

/** Enough on each side of a job that neither end of the line is near. */
const AROUND = 12_000;
const newId = createIds();

/** Ids of jobs made in turn, `step` ms apart, from `from` on. */
function ids(from: number, step: number): string[] {
  return Array.from({ length: AROUND }, (_, index) => newId(TYPE.queue, from + index * step));
}

/** Lets a stored job stand in the middle of a long line; returns the line, the next to start last. */
async function standAmong(redis: Redis, wait: string, id: string, [older, newer]: [string[], string[]]) {
  await redis.del(wait);
  for (const part of [older, [id], newer]) await redis.lpush(wait, ...part);
  return redis.lrange(wait, 0, -1);
}

test.each([
  ['cancelled', 'by the time of its id', 0],
  ['cancelled', 'although others came before that are newer', -3_600_000],
  ['removed', 'by the time of its id', 0],
  ['removed', 'although others came before that are newer', -3_600_000],
  ['given a priority', 'by the time of its id', 0],
] as const)(
  'a job in the middle of a long line is %s, found %s, and only the last in line changes its place',
  async (how, _found, shiftMs) => {
    await using sandbox = await openSandbox();
    const { redis, prefix, producer, reader, submit } = await openQueue(sandbox);
    const { wait } = queueKeys(prefix, TYPE.queue);
    const { id, createdAt } = await submit();
    const at = Date.parse(createdAt) - shiftMs;
    const line = await standAmong(redis, wait, id, [ids(at - AROUND, 1), ids(at + 1, 1)]);

    if (how === 'cancelled') expect(await producer.cancel(id, 'ann')).toEqual({ done: true });
    if (how === 'removed') await producer.remove(id);
    if (how === 'given a priority') expect(await producer.reschedule(id, { priority: 3 })).toEqual({ done: true });

    const [last = '', ...rest] = line;
    expect(await redis.lrange(wait, 0, -1)).toEqual(rest.map((other) => (other === id ? last : other)));
    if (how === 'removed') await expect(reader.job(id)).rejects.toMatchObject({ code: 'job_not_found' });
    else expect((await reader.job(id)).state).toBe(how === 'cancelled' ? 'cancelled' : 'waiting');
    expect((await reader.queue(TYPE.queue)).counts.waiting).toBe(line.length - (how === 'given a priority' ? 0 : 1));
  },
);

test.each(['next to start', 'last in line'])('the job that is %s leaves a long line as it was', async (which) => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, submit } = await openQueue(sandbox);
  const { wait } = queueKeys(prefix, TYPE.queue);
  const { id } = await submit();
  const [older, newer] = [ids(Date.now() - AROUND, 1), ids(Date.now(), 1)];
  await redis.del(wait);
  await redis.lpush(wait, ...older);
  await redis.lpush(wait, ...newer);
  const others = await redis.lrange(wait, 0, -1);
  await (which === 'last in line' ? redis.lpush(wait, id) : redis.rpush(wait, id));
  await producer.cancel(id, 'ann');
  expect(await redis.lrange(wait, 0, -1)).toEqual(others);
});

test('jobs of one batch, which are as old as each other, are found in a long line', async () => {
  await using sandbox = await openSandbox();
  const { redis, prefix, producer, reader } = await openQueue(sandbox);
  const { wait } = queueKeys(prefix, TYPE.queue);
  const batch = await producer.claimBatch({ key: 'k', tenant: undefined }, []);
  const jobs = await Promise.all(
    Array.from({ length: 900 }, (_, index) =>
      producer.submit({ type: TYPE, input: {}, batch: batch.id, claim: batch.place(index, TYPE.queue) }),
    ),
  );
  const members = await redis.lrange(wait, 0, -1);
  await redis.del(wait);
  for (const part of [ids(Date.now() - AROUND - 60_000, 1), members.reverse(), ids(Date.now() + 60_000, 1)])
    await redis.lpush(wait, ...part);
  await Promise.all(jobs.slice(0, 100).map(({ id }) => producer.cancel(id, 'ann')));
  const left = await redis.lrange(wait, 0, -1);
  expect(left).toHaveLength(2 * AROUND + 800);
  expect(new Set(left).size).toBe(left.length);
  expect((await reader.queue(TYPE.queue)).counts.failed).toBe(100);
});
