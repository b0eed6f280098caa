import type { JobEvent } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { createCancel } from '../src/producer/cancel.ts';
import { COMPLETED, consume, gate, openFeed, openQueue } from './fixture.ts';
import { block, standIn } from './lines.ts';

const BY_ANN = { by: 'ann', reason: 'a mistake', at: expect.stringMatching(/Z$/) };

test.each(['wait', 'delayed', 'prioritized', 'waiting-children'] as const)(
  'a job in the line %s ends at once, with who and why in record and event',
  async (line) => {
    await using sandbox = await openSandbox();
    const { submit, producer, reader, redis, prefix } = await openQueue(sandbox);
    const { feed, events } = await openFeed(sandbox);
    const { id } = await submit(
      {},
      { ...(line === 'delayed' && { delayMs: 60_000 }), ...(line === 'prioritized' && { priority: 3 }) },
    );
    if (line === 'waiting-children') await block(redis, prefix, id);
    await feed.follow(id);
    expect(await producer.cancel(id, 'ann', { reason: 'a mistake' })).toEqual({ done: true });
    expect(await producer.cancel(id, 'bob', { reason: 'me too' })).toEqual({ done: false });
    const ended = { error: { code: 'cancelled', message: 'cancelled by ann: a mistake' }, cancel: BY_ANN };
    expect(await reader.job(id)).toMatchObject({ state: 'cancelled', finishedAt: expect.any(String), ...ended });
    await until('the event', () => events.length > 0);
    expect(events[0]).toMatchObject({ kind: 'state', state: 'cancelled', ...ended });
    expect(await standIn(redis, prefix, id)).toEqual(['failed']);
  },
);

test('a list shows who cancelled', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await producer.cancel(id, 'ann', { reason: 'a mistake' });
  const { jobs } = await reader.list({ state: 'cancelled', limit: 5 }, ['work']);
  expect(jobs).toMatchObject([{ id, cancel: BY_ANN }]);
  expect(await reader.brief([id])).toMatchObject([{ job: { id, cancel: BY_ANN } }]);
});

test('a reason is kept as it was given, half characters apart', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  for (const [given, kept] of [
    ['zu "spät": \\ 🐌\n', 'zu "spät": \\ 🐌\n'],
    ['half \ud83d', 'half \ufffd'],
  ] as const) {
    const { id } = await submit();
    await producer.cancel(id, 'ann "the" \\ one', { reason: given });
    expect(await reader.job(id)).toMatchObject({
      error: { message: `cancelled by ann "the" \\ one: ${kept}` },
      cancel: { by: 'ann "the" \\ one', reason: kept },
    });
  }
});

test('a retry takes the mark off, and watchers see it go', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await producer.cancel(id, 'ann');
  await producer.retry(id);
  expect(await reader.job(id)).not.toHaveProperty('cancel');
  const ran = gate<boolean>();
  await consume(sandbox, async ({ signal }) => {
    ran.open(signal.aborted);
    return COMPLETED;
  });
  expect(await ran.opened).toBe(false);
});

test('the key of a job that its like wait for is free once it is cancelled', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  const key = `${prefix}:{work}:de:order-17`;
  await redis.set(key, id);
  await redis.hset(`${prefix}:{work}:${id}`, 'deid', 'order-17');
  await producer.cancel(id, 'ann');
  expect(await redis.exists(key)).toBe(0);
});

test('a child that its parent waits for ends when a worker takes it, without being run, and the parent hears of it', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis, prefix } = await openQueue(sandbox);
  const [parent, child] = [await submit({}, { delayMs: 60_000 }), await submit({}, { delayMs: 60_000 })];
  const base = `${prefix}:{work}:`;
  await block(redis, prefix, parent.id);
  await redis.sadd(`${base}${parent.id}:dependencies`, base + child.id);
  const link = JSON.stringify({ id: parent.id, queueKey: `${prefix}:{work}`, fpof: true });
  await redis.hset(base + child.id, 'parentKey', base + parent.id, 'parent', link);
  expect(await producer.cancel(child.id, 'ann')).toEqual({ done: true });
  expect(await producer.cancel(child.id, 'ann')).toEqual({ done: false });
  const ran: string[] = [];
  await consume(sandbox, async ({ id }) => {
    ran.push(id);
    return COMPLETED;
  });
  await until(
    'both ends',
    async () => (await reader.job(child.id)).finishedAt && (await reader.job(parent.id)).finishedAt,
  );
  expect(await reader.job(child.id)).toMatchObject({ state: 'cancelled', cancel: { by: 'ann' } });
  expect((await reader.job(parent.id)).state).toBe('failed');
  expect(ran).toEqual([]);
});

test('a command is one effect, and another reason is another command', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const cancel = createCancel({ redis, prefix });
  const started = gate();
  const finish = gate();
  await consume(sandbox, async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  const { id } = await submit();
  await started.opened;
  const command = { commandId: 'c', reason: 'a mistake' };
  expect(await cancel(id, 'ann', command)).toEqual({ done: true });
  expect(await cancel(id, 'ann', command)).toEqual({ done: true });
  await expect(cancel(id, 'ann', { commandId: 'c' })).rejects.toMatchObject({ code: 'command_id_reused' });
  finish.open();
});

test('a running job is marked once, and watchers hear that it is being cancelled', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const started = gate();
  const finish = gate();
  await consume(sandbox, async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  const { id } = await submit();
  await feed.follow(id);
  await started.opened;
  expect(await producer.cancel(id, 'ann', { reason: 'a mistake' })).toEqual({ done: true });
  expect(await producer.cancel(id, 'bob')).toEqual({ done: false });
  expect(await reader.job(id)).toMatchObject({ state: 'active', attempt: 1, cancel: BY_ANN });
  const isMark = (event: JobEvent) => event.kind === 'state' && event.cancel !== undefined;
  await until('the event', () => events.some(isMark));
  expect(events.filter(isMark)).toMatchObject([{ state: 'active', cancel: BY_ANN }]);
  finish.open();
});
