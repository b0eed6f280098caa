import type { Dedupe, JobOptions } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

async function open(sandbox: Sandbox, dedupe: Dedupe) {
  const queue = await openQueue(sandbox);
  const { producer, reader } = queue;
  const submit = (n: number, options: JobOptions = {}, tenant?: string, type = TYPE) =>
    producer.submit({ type, input: { n }, options: { dedupe, ...options }, tenant });
  const ended = (id: string) => until(`the end of ${id}`, async () => 'finishedAt' in (await reader.job(id)));
  return { ...queue, submit, ended };
}

/** Runs jobs one by one; each waits for the gate of its turn. */
async function runInTurns(sandbox: Sandbox, turns: number) {
  const gates = Array.from({ length: turns }, () => ({ started: gate(), finish: gate() }));
  const ran: unknown[] = [];
  await consume(sandbox, async ({ input }) => {
    const turn = gates[ran.length]!;
    ran.push((input as { n: number }).n);
    turn.started.open();
    await turn.finish.opened;
    return COMPLETED;
  });
  return { ran, gates };
}

test.each([{}, { delayMs: 60_000 }, { priority: 2, tags: ['red'] }])(
  'simple (%j): further submits return the job that waits',
  async (options) => {
    await using sandbox = await openSandbox();
    const { submit, reader } = await open(sandbox, { key: 'order-17' });
    const first = await submit(1, options);
    expect(first).not.toHaveProperty('deduplicated');
    const second = await submit(2, options);
    expect(second).toMatchObject({ id: first.id, deduplicated: true, input: { n: 1 }, state: first.state });
    expect((await reader.list({ limit: 10 }, ['work'])).jobs.map(({ id }) => id)).toEqual([first.id]);
  },
);

test('simple: while it runs as well, and no longer once it has ended', async () => {
  await using sandbox = await openSandbox();
  const { submit, ended } = await open(sandbox, { key: 'order-17' });
  const { gates, ran } = await runInTurns(sandbox, 2);
  const first = await submit(1);
  await gates[0]!.started.opened;
  expect(await submit(2)).toMatchObject({ id: first.id, deduplicated: true, state: 'active' });
  gates[0]!.finish.open();
  await ended(first.id);
  const third = await submit(3);
  expect(third).not.toHaveProperty('deduplicated');
  gates[1]!.finish.open();
  await ended(third.id);
  expect(ran).toEqual([1, 3]);
});

test.each(['cancelled', 'removed'])('simple: a job that was %s stands for nothing', async (how) => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await open(sandbox, { key: 'order-17' });
  const { id } = await submit(1);
  await (how === 'removed' ? producer.remove(id) : producer.cancel(id, 'ann'));
  const second = await submit(2);
  expect(second.id).not.toBe(id);
  expect(await submit(3)).toMatchObject({ id: second.id, deduplicated: true });
});

test('a dedupe key is scoped by tenant and type', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await open(sandbox, { key: 'order-17' });
  const jobs = [await submit(1), await submit(1, {}, 'a'), await submit(1, {}, 'b')];
  jobs.push(await submit(1, {}, undefined, { ...TYPE, type: 'test.other' }));
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(4);
});

test('many submits at once make one job', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await open(sandbox, { key: 'order-17' });
  const jobs = await Promise.all(Array.from({ length: 50 }, (_, n) => submit(n)));
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
  expect(jobs.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
});

test('throttle: one in its time, also after that one has ended', async () => {
  await using sandbox = await openSandbox();
  const { submit, ended, redis, prefix } = await open(sandbox, { key: 'k', mode: 'throttle', ttlMs: 60_000 });
  await consume(sandbox, async () => COMPLETED);
  const first = await submit(1);
  await ended(first.id);
  expect(await submit(2)).toMatchObject({ id: first.id, deduplicated: true, state: 'completed' });
  const [key = ''] = await redis.keys(`${prefix}:*:de:*`);
  await redis.pexpire(key, 1);
  await until('the window to end', async () => (await redis.exists(key)) === 0);
  expect(await submit(3)).not.toHaveProperty('deduplicated');
});

test('debounce: each further submit replaces the input and puts the job off; it runs once', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await open(sandbox, { key: 'k', mode: 'debounce', ttlMs: 60_000 });
  const first = await submit(1);
  expect(first).toMatchObject({ state: 'delayed', runAt: expect.any(String) });
  await until('a later millisecond', () => Date.now() > Date.parse(first.createdAt) + 1);
  const second = await submit(2);
  expect(second).toMatchObject({ id: first.id, deduplicated: true, input: { n: 2 } });
  expect(Date.parse(second.runAt!)).toBeGreaterThan(Date.parse(first.runAt!));
  expect(await reader.queue('work')).toMatchObject({ counts: { delayed: 1, waiting: 0 } });
});

test('debounce: the last input runs when the time is over, and what comes later is another job', async () => {
  await using sandbox = await openSandbox();
  const { submit, ended } = await open(sandbox, { key: 'k', mode: 'debounce', ttlMs: 1000 });
  const { ran, gates } = await runInTurns(sandbox, 2);
  await submit(1);
  const { id } = await submit(2);
  await gates[0]!.started.opened;
  const later = await submit(3);
  expect(later.id).not.toBe(id);
  for (const { finish } of gates) finish.open();
  await ended(later.id);
  expect(ran).toEqual([2, 3]);
});

test('keep-last: the newest of those that came while one ran runs after it', async () => {
  await using sandbox = await openSandbox();
  const { submit, ended, reader } = await open(sandbox, { key: 'k', mode: 'keep-last' });
  const { ran, gates } = await runInTurns(sandbox, 2);
  const first = await submit(1);
  await gates[0]!.started.opened;
  for (const n of [2, 3, 4]) expect(await submit(n)).toMatchObject({ id: first.id, deduplicated: true });
  expect(await reader.queue('work')).toMatchObject({ counts: { active: 1, waiting: 0 } });
  gates[0]!.finish.open();
  await ended(first.id);
  await gates[1]!.started.opened;
  gates[1]!.finish.open();
  await until('both to end', async () => (await reader.queue('work')).counts.completed === 2);
  expect(ran).toEqual([1, 4]);
});

test('keep-last: one that waits runs with the newest input', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await open(sandbox, { key: 'k', mode: 'keep-last' });
  const { id } = await submit(1);
  expect(await submit(2)).toMatchObject({ id, deduplicated: true, input: { n: 2 } });
  expect((await reader.job(id)).input).toEqual({ n: 2 });
});

test('keep-last: between two attempts the newest is kept for afterwards', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await open(sandbox, { key: 'k', mode: 'keep-last' });
  const ran: unknown[] = [];
  const retried: JobOptions = { attempts: 2, backoff: { type: 'fixed', delayMs: 300 } };
  await consume(sandbox, async ({ input }) => {
    ran.push((input as { n: number }).n);
    if (ran.length > 1) return COMPLETED;
    return { kind: 'failed', error: { code: 'handler_failed', message: 'once' }, retry: true };
  });
  const { id } = await submit(1, retried);
  await until('the wait for the second attempt', async () => (await reader.job(id)).state === 'delayed');
  await submit(2, retried);
  await until('three runs', () => ran.length === 3);
  expect(ran).toEqual([1, 1, 2]);
});

test.each<[Dedupe, JobOptions, string, RegExp]>([
  [{ key: 'k', mode: 'throttle' }, {}, '/options/dedupe/ttlMs', /mode throttle, got nothing/],
  [{ key: 'k', mode: 'debounce' }, {}, '/options/dedupe/ttlMs', /mode debounce, got nothing/],
  [{ key: 'k', ttlMs: 5 }, {}, '/options/dedupe/ttlMs', /none with mode simple.* got 5/],
  [{ key: 'k', mode: 'keep-last', ttlMs: 5 }, {}, '/options/dedupe/ttlMs', /none with mode keep-last.* got 5/],
  [{ key: 'k', mode: 'debounce', ttlMs: 5 }, { delayMs: 9 }, '/options/delayMs', /none beside .*debounce.* got 9/],
])('%j with %j is refused at %s', async (dedupe, options, pointer, message) => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await open(sandbox, dedupe);
  await expect(submit(1, options)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(message),
    errors: [{ pointer }],
  });
  expect(await redis.keys(`${prefix}:*`)).toEqual([]);
});

test('what is refused leaves its idempotency key free', async () => {
  await using sandbox = await openSandbox();
  const { producer } = await open(sandbox, { key: 'k' });
  const keyed = (dedupe: Dedupe) =>
    producer.submit({ type: TYPE, input: {}, options: { dedupe }, idempotencyKey: 'i' });
  await expect(keyed({ key: 'k', mode: 'throttle' })).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await keyed({ key: 'k', mode: 'throttle', ttlMs: 1000 })).not.toHaveProperty('replayed');
});

test('a replay of a submit that another job stood for names that job again', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await open(sandbox, { key: 'k' });
  const { id } = await submit(1);
  const keyed = () =>
    producer.submit({ type: TYPE, input: { n: 2 }, options: { dedupe: { key: 'k' } }, idempotencyKey: 'i' });
  expect(await keyed()).toMatchObject({ id, deduplicated: true });
  await producer.cancel(id, 'ann');
  expect(await keyed()).toMatchObject({ id, deduplicated: true, replayed: true, state: 'cancelled' });
});
