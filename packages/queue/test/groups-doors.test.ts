import { applyEvent } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { wasLetGo } from '../src/consumer/group-slots.ts';
import type { Outcome } from '../src/consumer/index.ts';
import { recover } from '../src/consumer/lost-workers.ts';
import { COMPLETED, consume, gate, openFeed, TYPE } from './fixture.ts';
import { openGroups } from './grouped.ts';

const FAILED: Outcome = { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: true };
const CAPPED = { default: { concurrency: 1 } };

test.each<[string, object, object, boolean]>([
  ['a first start', {}, {}, true],
  ['a start after others', {}, { attemptsStarted: 2 }, false],
  ['a start after a failure', {}, { attemptsMade: 1 }, false],
  ['a job that was delayed', { delay: 1 }, {}, false],
  ['one that was kept back by its key', { deduplication: { id: 'k' } }, {}, false],
  ['a member of a flow', { ungranted: true }, {}, false],
])('whether a job came through its group’s line: %s', (_name, opts: object, attempts, expected) => {
  expect(wasLetGo({ opts, attemptsStarted: 1, attemptsMade: 0, ...attempts })).toBe(expected);
});

test('a job that waits for its next attempt gives its slot back, and takes its turn anew', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, slots, emptied } = await openGroups(sandbox, CAPPED);
  const first = await put('a', { attempts: 2, backoff: { type: 'fixed', delayMs: 1 } });
  const [second, third] = [await put('a'), await put('a')];
  const order: [string, number][] = [];
  let most = 0;
  await consume(sandbox, async ({ id, attempt }) => {
    order.push([id, attempt]);
    most = Math.max(most, Number((await slots()).a));
    return order.length === 1 ? FAILED : COMPLETED;
  });
  await until('all', async () => (await reader.queue('work')).counts.completed === 3);
  expect(most).toBe(1);
  expect(order[0]).toEqual([first.id, 1]);
  expect(order).toContainEqual([first.id, 2]);
  expect(order.map(([id]) => id).filter((id) => id !== first.id)).toEqual([second.id, third.id]);
  expect(await reader.job(first.id)).toMatchObject({ attempt: 2, attempts: 2 });
  await emptied();
});

test('delayed jobs of a group that become due together take its turns, with no attempt spent', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, ran, run, emptied, slots } = await openGroups(sandbox, CAPPED);
  const jobs = await Promise.all(Array.from({ length: 20 }, () => put('late', { delayMs: 30 })));
  expect(jobs[0]).toMatchObject({ state: 'delayed', group: 'late' });
  let most = 0;
  await consume(sandbox, async (lease) => {
    most = Math.max(most, Number((await slots()).late));
    return run(lease);
  });
  await until('all', () => ran.length === 20);
  await emptied();
  expect(most).toBe(1);
  for (const { id } of jobs)
    expect(await reader.job(id)).toMatchObject({ state: 'completed', attempt: 1, attempts: 1 });
});

test('a job that goes from a worker back into its group’s line reads the same to a watcher and in a snapshot', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, line } = await openGroups(sandbox, CAPPED);
  const { feed, events } = await openFeed(sandbox);
  const finish = gate();
  const blocking = await put('a');
  const late = await put('a', { delayMs: 30 });
  await feed.follow(late.id);
  const held = await reader.snapshot(late.id);
  await consume(sandbox, async ({ id }) => {
    if (id === blocking.id) await finish.opened;
    return COMPLETED;
  });
  await until('it to be in line', async () => (await line('a')).includes(late.id));
  expect(await reader.job(late.id)).toMatchObject({ state: 'waiting', attempt: 0, group: 'a' });
  const told = () => events.reduce(applyEvent, held).job;
  await until('its watcher to know', () => events.length > 0 && told().state === 'waiting' && told().attempt === 0);
  finish.open();
  await until('its end', () => told().state === 'completed');
  expect(told().attempt).toBe(1);
});

test.each(['waits in its group’s line', 'waits in the main line'])(
  'a cancel of a job that %s ends it at once and lets its group go on',
  async (where) => {
    await using sandbox = await openSandbox();
    const { put, producer, reader, line, main, slots, emptied } = await openGroups(sandbox, CAPPED);
    const [first, second] = [await put('a'), await put('a')];
    const cancelled = where.includes('group') ? second : first;
    const left = where.includes('group') ? first : second;
    expect(await producer.cancel(cancelled.id, 'ann')).toEqual({ done: true });
    expect(await reader.job(cancelled.id)).toMatchObject({ state: 'cancelled' });
    expect([await line('a'), await main(), await slots()]).toEqual([[], [left.id], { a: '1' }]);
    await producer.cancel(left.id, 'ann');
    expect(await main()).toEqual([]);
    await consume(sandbox, async () => COMPLETED);
    await emptied();
  },
);

test('a cancelled job of a group that runs gives its slot back', async () => {
  await using sandbox = await openSandbox();
  const { put, producer, ran, emptied } = await openGroups(sandbox, CAPPED);
  const { id } = await put('a');
  await put('a');
  const started = gate();
  await consume(sandbox, async (lease) => {
    ran.push(lease.id);
    started.open();
    if (lease.id === id) await new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    return lease.id === id ? FAILED : COMPLETED;
  });
  await started.opened;
  await producer.cancel(id, 'ann');
  await until('the next', () => ran.length === 2);
  await emptied();
});

test('a removed job leaves its line or its slot to the others', async () => {
  await using sandbox = await openSandbox();
  const { put, producer, line, main, reader } = await openGroups(sandbox, CAPPED);
  const [first, second, third] = [await put('a'), await put('a'), await put('a')];
  await producer.remove(second.id);
  expect(await line('a')).toEqual([third.id]);
  await producer.remove(first.id);
  expect([await line('a'), await main()]).toEqual([[], [third.id]]);
  await expect(reader.job(second.id)).rejects.toMatchObject({ code: 'job_not_found' });
  expect(await reader.queue('work')).toMatchObject({ counts: { waiting: 1 } });
});

test('a job whose record is gone is passed over when its turn comes', async () => {
  await using sandbox = await openSandbox();
  const { put, producer, redis, keys, main } = await openGroups(sandbox, CAPPED);
  const [first, gone, last] = [await put('a'), await put('a'), await put('a')];
  await redis.del(keys.job(gone.id));
  await producer.cancel(first.id, 'ann');
  expect(await main()).toEqual([last.id]);
});

test('a failed job that is retried goes into its group’s line', async () => {
  await using sandbox = await openSandbox();
  const { put, producer, reader, line, ran, emptied } = await openGroups(sandbox, CAPPED);
  const failed = await put('a');
  const first = await consume(sandbox, async () => ({ ...FAILED, retry: false }));
  await until('its end', async () => (await reader.job(failed.id)).state === 'failed');
  await first.stop(1000);
  const blocking = await put('a');
  await producer.retry(failed.id);
  expect(await line('a')).toEqual([failed.id]);
  expect(await reader.job(failed.id)).toMatchObject({ state: 'waiting', attempt: 1, attempts: 2 });
  await consume(sandbox, async ({ id }) => {
    ran.push(id);
    return COMPLETED;
  });
  await until('both', () => ran.length === 2);
  expect(ran).toEqual([blocking.id, failed.id]);
  await emptied();
});

test('a job that a stopping worker hands back keeps its slot and is the next to start', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, main, slots, ran, emptied } = await openGroups(sandbox, CAPPED);
  const { id } = await put('a', { priority: 5 });
  const next = await put('a');
  const started = gate();
  const first = await consume(sandbox, () => {
    started.open();
    return new Promise<never>(() => undefined);
  });
  await started.opened;
  await first.stop(0);
  expect([await main(), await slots()]).toEqual([[id], { a: '1' }]);
  expect(await reader.job(id)).toMatchObject({ state: 'waiting', attempt: 0 });
  await consume(sandbox, async (lease) => {
    ran.push(lease.id);
    return COMPLETED;
  });
  await until('both', () => ran.length === 2);
  expect(ran).toEqual([id, next.id]);
  await emptied();
});

test('a job that lost its worker keeps its slot, and one that lost it too often gives it back', async () => {
  await using sandbox = await openSandbox();
  const { put, redis, keys, slots, reader, run, ran, emptied } = await openGroups(sandbox, CAPPED);
  const { id } = await put('a');
  await put('a');
  for (const workerId of ['w1', 'w2', 'w3', 'w4']) {
    expect(await slots()).toEqual({ a: '1' });
    const started = gate();
    const lost = await consume(
      sandbox,
      (lease) => {
        if (lease.id === id) started.open();
        return new Promise<never>(() => undefined);
      },
      { workerId, concurrency: 1 },
    );
    await started.opened;
    await redis.del(keys.lock(id));
    await until('it to be found', async () => {
      await redis.del(keys.looked);
      await recover(redis, keys);
      return (await reader.job(id)).state !== 'active';
    });
    await lost.stop(0);
  }
  expect((await reader.job(id)).state).toBe('failed');
  await consume(sandbox, run, { workerId: 'w5' });
  await until('the next one', () => ran.length === 1);
  await emptied();
});

test('a dedupe key stands for a job in its group’s line, and the one that it kept back takes the group’s turn', async () => {
  await using sandbox = await openSandbox();
  const { put, line, ran, emptied, reader } = await openGroups(sandbox, CAPPED);
  const blocking = await put('a');
  const dedupe = { key: 'k', mode: 'keep-last' };
  const { id } = await put('a', { dedupe });
  expect(await put('a', { dedupe })).toMatchObject({ id, deduplicated: true });
  expect(await line('a')).toEqual([id]);
  let kept: Promise<unknown> | undefined;
  await consume(sandbox, async (lease) => {
    ran.push(lease.id);
    if (lease.id === id) kept ??= put('a', { dedupe });
    await kept;
    return COMPLETED;
  });
  await until('all three', async () => (await reader.queue('work')).counts.completed === 3);
  expect(ran.slice(0, 2)).toEqual([blocking.id, id]);
  await emptied();
});

test('members of a flow take the turns of their groups', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, slots, emptied } = await openGroups(sandbox, CAPPED);
  const member = (
    group: string,
    children: { type: typeof TYPE; input: object; options: object; children: [] }[] = [],
  ) => ({
    type: TYPE,
    input: { group },
    options: { group },
    children,
  });
  const children = Array.from({ length: 12 }, () => ({ ...member('child'), children: [] as [] }));
  const { id } = await producer.submitFlow(member('parent', children), { batch: producer.newBatch() });
  let most = 0;
  await consume(sandbox, async () => {
    for (const count of Object.values(await slots())) most = Math.max(most, Number(count));
    return COMPLETED;
  });
  await until('the parent', async () => (await reader.job(id)).state === 'completed');
  expect(most).toBe(1);
  expect(await reader.job(id)).toMatchObject({ group: 'parent', attempt: 1 });
  await emptied();
});

test('while a queue is paused nothing of a group starts, and all of it does afterwards', async () => {
  await using sandbox = await openSandbox();
  const { flood, producer, run, ran } = await openGroups(sandbox);
  await producer.pause('work');
  await flood('a', 40);
  await consume(sandbox, run);
  await producer.resume('work');
  await until('all', () => ran.length === 40);
});

test('a job that waits too long in its group’s line expires, and its group goes on', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, run, ran, redis, keys, emptied } = await openGroups(sandbox, CAPPED);
  const { id } = await put('a', { ttlMs: 60_000 });
  await put('a');
  await redis.hset(keys.job(id), 'timestamp', Date.now() - 61_000);
  await consume(sandbox, run);
  await until('the next one', () => ran.length === 1);
  expect(await reader.job(id)).toMatchObject({ state: 'failed', error: { code: 'expired' } });
  await emptied();
});

test('a submit with an idempotency key, and a place in a batch, is one job in its group’s line', async () => {
  await using sandbox = await openSandbox();
  const { producer, line, limit } = await openGroups(sandbox);
  await limit({ default: { concurrency: 1 } });
  const submit = (key: string) =>
    producer.submit({ type: TYPE, input: {}, options: { group: 'a' }, idempotencyKey: key, batch: 'batch.1' });
  await submit('first');
  const { id } = await submit('second');
  expect(await submit('second')).toMatchObject({ id, replayed: true, group: 'a', batch: 'batch.1' });
  expect(await line('a')).toEqual([id]);
});
