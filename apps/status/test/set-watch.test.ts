import { createHash } from 'node:crypto';
import type { BatchReply, SubmitReply, WatchReply } from '@spillway/contracts';
import { createRegistry } from '@spillway/queue/registry';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { connectToSets, type SetWatcher } from './set-watcher.ts';
import { connect } from './watcher.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

async function submit(type: string, input: object = {}, options: object = {}): Promise<string> {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options });
  return body.id;
}

const LATER = { delayMs: 3_600_000 };
const states = (watcher: SetWatcher, set: Parameters<SetWatcher['jobs']>[0]) =>
  Object.fromEntries([...watcher.jobs(set)].map(([id, { job }]) => [id, job.state]));

test('who watches a tag sees the jobs that were there, those that come, and their ends', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  const set = { tag: 'customer 7' };
  const tags = [set.tag, 'other'];
  const before = await submit('demo.steps', { steps: 3, stepMs: 1 }, { tags, delayMs: 500 });
  const ended = await submit('demo.noop', {}, { tags });
  await call(spillway.url, 'GET', `/v1/jobs/${ended}?wait=20`);
  expect(await watcher.watch(set)).toMatchObject({ ...set, total: 2, jobs: expect.any(Array) });
  expect(states(watcher, set)).toEqual({ [before]: 'delayed', [ended]: 'completed' });
  const after = await submit('demo.steps', { steps: 3, stepMs: 20 }, { tags });
  await submit('demo.noop', {}, { tags: ['other'] });
  await until('both ends', () => {
    const seen = states(watcher, set);
    return seen[before] === 'completed' && seen[after] === 'completed';
  });
  expect(watcher.jobs(set).get(after)!.job).toMatchObject({ progress: { fraction: 1 }, attempt: 1, tags });
  expect(Object.keys(states(watcher, set)).sort()).toEqual([before, ended, after].sort());
});

test('frames of a set name it and bring neither log, output, input nor result', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  const set = { tag: 'brief' };
  await watcher.watch(set);
  const id = await submit('demo.steps', { steps: 5, stepMs: 30 }, { tags: ['brief'] });
  await until('the end', () => states(watcher, set)[id] === 'completed');
  expect(watcher.told[0]).toMatchObject({ set, event: { job: id, kind: 'joined', snapshot: { log: [], output: [] } } });
  for (const { event } of watcher.told) {
    expect(Object.keys(event)).toEqual(expect.not.arrayContaining(['log', 'output', 'result']));
    if (event.kind === 'joined') expect(Object.keys(event.snapshot.job)).not.toContain('input');
  }
});

test('a batch of 200 jobs is watched to all its ends', async () => {
  await using early = await connectToSets(spillway.status.url);
  await using late = await connectToSets(spillway.status.url);
  const jobs = Array.from({ length: 200 }, (_, n) => ({
    type: n % 4 ? 'demo.noop' : 'demo.steps',
    input: n % 4 ? {} : { steps: 2, stepMs: 1 },
    options: n % 2 ? {} : { delayMs: 400 + n },
  }));
  const { body } = await call<BatchReply>(spillway.url, 'POST', '/v1/batches', jobs);
  const set = { batch: body.id };
  const result = await early.watch(set);
  expect(result).toMatchObject({ total: 200 });
  expect('jobs' in result && result.jobs.length).toBe(100);
  await until('some progress', () => early.told.length > 20);
  await late.watch(set);
  const delayed = body.jobs.flatMap((job, n) => ('id' in job && n % 2 === 0 ? [job.id] : []));
  await until('all ends', () => delayed.every((id) => states(early, set)[id] === 'completed'));
  await until('the same for who came late', () =>
    [...late.jobs(set).values()].every(({ job }) => job.state === 'completed'),
  );
  for (const { job } of early.jobs(set).values()) expect(job.state).toBe('completed');
});

test('removal, cancellation and failure of members are told', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  const set = { tag: 'ends' };
  const removed = await submit('demo.noop', {}, { tags: ['ends'], ...LATER });
  const cancelled = await submit('demo.noop', {}, { tags: ['ends'], ...LATER });
  await watcher.watch(set);
  const failed = await submit('demo.steps', { steps: 2, stepMs: 1, failAt: 1 }, { tags: ['ends'], attempts: 1 });
  await call(spillway.url, 'DELETE', `/v1/jobs/${removed}`);
  await call(spillway.url, 'POST', `/v1/jobs/${cancelled}/cancel`);
  await until('all', () => {
    const seen = states(watcher, set);
    return watcher.jobs(set).get(removed)?.removed && seen[cancelled] === 'cancelled' && seen[failed] === 'failed';
  });
  expect(watcher.jobs(set).get(failed)!.job.error).toMatchObject({ code: 'handler_failed' });
  await using later = await connectToSets(spillway.status.url);
  expect(await later.watch(set)).toMatchObject({ total: 2 });
});

test('one tag spans queues, also one that workers register while it is watched', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  const set = { tag: 'many queues' };
  await watcher.watch(set);
  const registry = createRegistry({ redis: await spillway.sandbox.connect(), prefix: spillway.sandbox.prefix });
  await registry.publish([{ type: 'late.work', queue: 'late', input: {}, defaults: {} }]);
  const ids = [
    await submit('demo.noop', {}, { tags: [set.tag], ...LATER }),
    await until('the new type', () => submit('late.work', {}, { tags: [set.tag] })),
  ];
  await until('both', () => ids.every((id) => watcher.jobs(set).has(id)));
  await call(spillway.url, 'POST', `/v1/jobs/${ids[1]}/cancel`);
  await until('the end', () => states(watcher, set)[ids[1]!] === 'cancelled');
  expect(await watcher.watch(set)).toMatchObject({ total: 2 });
});

test('who leaves a set hears no more of it, and who watches a job of it still does', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  await using other = await connect(spillway.status.url);
  const set = { tag: 'left' };
  const id = await submit('demo.noop', {}, { tags: ['left'], ...LATER });
  await watcher.watch(set);
  await other.watch(set, id);
  await watcher.socket.emitWithAck('unwatch', { targets: [set] });
  await other.socket.emitWithAck('unwatch', { targets: [set] });
  await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`);
  await until('the end', () => other.events.length > 0);
  expect(other.events).toMatchObject([{ job: id, kind: 'state', state: 'cancelled' }]);
  expect(watcher.told).toEqual([]);
});

test('unknown sets are empty', async () => {
  await using watcher = await connectToSets(spillway.status.url);
  expect(await watcher.watch({ tag: 'nobody' })).toEqual({ tag: 'nobody', jobs: [], total: 0 });
  expect(await watcher.watch({ batch: 'batch.x' })).toEqual({ batch: 'batch.x', jobs: [], total: 0 });
});

test.each([
  ['/jobs', { targets: [{}] }, /\/targets\/0 expected one of job, batch, tag, got none/],
  ['/jobs', { targets: [{ tag: 'a' }, { tag: 'a', batch: 'b' }] }, /\/targets\/1 expected one of .* got batch and tag/],
  ['/jobs', { targets: [{ queue: 'demo' }] }, /expected one of job, batch, tag/],
  ['/jobs', { targets: [{ tag: 'x'.repeat(101) }] }, /\/targets\/0\/tag expected at most 100/],
  ['/jobs', { targets: [{ tag: '' }] }, /\/targets\/0\/tag/],
  ['/ops', { targets: [{ tag: 'a' }] }, /expected one of queue, tenant, got none/],
  ['/ops', { targets: [{ queue: 7 }] }, /\/targets\/0\/queue expected string/],
  ['/ops', null, /expected object/],
] as const)('on %s the request %j is refused with what was expected', async (namespace, request, message) => {
  await using watcher = await connectToSets(spillway.status.url, { namespace });
  const reply = await (
    watcher.socket as unknown as { emitWithAck(event: string, request: unknown): Promise<WatchReply> }
  ).emitWithAck('watch', request);
  expect(reply).toMatchObject({ error: { code: 'invalid_request', message: expect.stringMatching(message) } });
});

test('an operator watches a queue: what is there, what comes, and every end', async () => {
  await using watcher = await connectToSets(spillway.status.url, { namespace: '/ops' });
  const set = { queue: 'demo' };
  const waiting = await submit('demo.noop', {}, LATER);
  const result = await watcher.watch(set);
  const { body } = await call<{ counts: Record<string, number> }>(spillway.url, 'GET', '/v1/queues/demo');
  expect(result).toMatchObject({ total: Object.values(body.counts).reduce((sum, count) => sum + count) });
  expect(states(watcher, set)).toMatchObject({ [waiting]: 'delayed' });
  const fresh = await submit('demo.steps', { steps: 2, stepMs: 1 });
  await call(spillway.url, 'POST', `/v1/jobs/${waiting}/cancel`);
  await until('both ends', () => {
    const seen = states(watcher, set);
    return seen[fresh] === 'completed' && seen[waiting] === 'cancelled';
  });
  expect(await watcher.watch({ queue: 'nope' })).toMatchObject({ queue: 'nope', error: { code: 'unknown_queue' } });
});

test('an operator gets an overview at once, and another when something changed', async () => {
  await using first = await connectToSets(spillway.status.url, { namespace: '/ops' });
  await until('an overview', () => first.overviews.length > 0);
  const { body } = await call<{ queues: unknown[] }>(spillway.url, 'GET', '/v1/queues');
  expect(first.overviews.at(-1)!.queues.map(({ name }) => name)).toEqual(
    (body.queues as { name: string }[]).map(({ name }) => name),
  );
  expect(first.overviews.at(-1)!.workers).toHaveLength(1);
  const delayedNow = () => first.overviews.at(-1)!.queues.find(({ name }) => name === 'demo')!.counts.delayed;
  const before = delayedNow();
  await submit('demo.noop', {}, LATER);
  await until('the change', () => delayedNow() === before + 1);
  await using second = await connectToSets(spillway.status.url, { namespace: '/ops' });
  await until('one for who comes later', () => second.overviews.length > 0);
});

test('with keys, jobs carry their tenant, and only operators may watch tenants', async () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const keys = [
    ['shop', 'submit+read'],
    ['ops', 'read+control'],
    ['boss', 'admin'],
    ['hands', 'control'],
  ];
  const env = { SPILLWAY_KEYS: keys.map(([name, scopes]) => `${name}:${scopes}:${sha256(`sw_${name}`)}`).join(',') };
  await using locked = await startSpillway({ env });
  for (const token of ['sw_shop', 'sw_hands'])
    await expect(connectToSets(locked.url, { namespace: '/ops', token })).rejects.toMatchObject({
      data: { code: 'forbidden' },
    });
  await expect(connectToSets(locked.url, { namespace: '/ops' })).rejects.toMatchObject({
    data: { code: 'unauthorized' },
  });
  await using watcher = await connectToSets(locked.url, { namespace: '/ops', token: 'sw_ops' });
  await using boss = await connectToSets(locked.url, { namespace: '/ops', token: 'sw_boss' });
  const set = { tenant: 'shop' };
  expect(await watcher.watch(set)).toMatchObject({ total: 0 });
  const submitAs = (name: string, body: unknown, path = '/v1/jobs') =>
    call<SubmitReply>(locked.url, 'POST', path, body, { authorization: `Bearer sw_${name}` });
  const { body } = await submitAs('shop', { type: 'demo.noop' });
  await submitAs('boss', { type: 'demo.noop' });
  await submitAs('shop', [{ type: 'demo.noop' }], '/v1/batches');
  expect(body).toMatchObject({ tenant: 'shop' });
  await until('two ends', () => Object.values(states(watcher, set)).join() === 'completed,completed');
  expect(watcher.jobs(set).get(body.id)!.job).toMatchObject({ tenant: 'shop' });
  expect(await boss.watch(set)).toMatchObject({ total: 2 });
});
