import { createHash } from 'node:crypto';
import { applyEvent, applySnapshot, type SubmitReply, type WatchedJob, type WatchReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { connect, type Watcher } from './watcher.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

async function submit(type: string, input: object = {}, options: object = {}): Promise<string> {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options });
  return body.id;
}

function snapshotOf(reply: WatchReply, index = 0) {
  const result = 'results' in reply ? reply.results[index] : undefined;
  if (!result || !('snapshot' in result)) throw new Error(`expected a snapshot, got ${JSON.stringify(reply)}`);
  return result.snapshot;
}

/** What a client makes of a watch: the snapshot with every event folded in. */
function fold(watcher: Watcher, reply: WatchReply): WatchedJob {
  return watcher.events.reduce(applyEvent, applySnapshot(undefined, snapshotOf(reply)));
}

test.each(['status itself', 'the address of api'])(
  'a job is watched from its snapshot to its end through %s',
  async (way) => {
    await using watcher = await connect(way === 'status itself' ? spillway.status.url : spillway.url);
    const id = await submit('demo.steps', { steps: 4, stepMs: 30 });
    const reply = await watcher.watch(id);
    const job = await until('the end', () => {
      const folded = fold(watcher, reply);
      return folded.job.state === 'completed' ? folded : undefined;
    });
    expect(job.job).toMatchObject({ id, attempt: 1, progress: { fraction: 1 }, result: { steps: 4 } });
    expect(job.log.map(({ n }) => n)).toEqual([0, 1, 2, 3]);
  },
);

test('whenever a watch begins, also in the moment of the end, the end is seen', async () => {
  await using watcher = await connect(spillway.status.url);
  const ids = await Promise.all(Array.from({ length: 60 }, () => submit('demo.noop')));
  const replies = await Promise.all(ids.map((id) => watcher.watch(id)));
  for (const reply of replies) await until('its end', () => fold(watcher, reply).job.state === 'completed');
});

test('a watch ends with its job, and a retry is watched anew', async () => {
  await using watcher = await connect(spillway.status.url);
  await using late = await connect(spillway.status.url);
  const id = await submit('demo.steps', { steps: 2, stepMs: 1, failAt: 2 }, { attempts: 1 });
  await watcher.watch(id);
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`);
  // One that asks after the end is answered, and watches nothing either.
  await late.watch(id);
  await until('the end', async () => snapshotOf(await watcher.watch(id)).job.state === 'failed');
  const heard = watcher.events.length;

  await call(spillway.url, 'POST', `/v1/jobs/${id}/retry`);
  const again = await connect(spillway.status.url);
  const reply = await again.watch(id);
  await until('the second end', () => fold(again, reply).job.state === 'failed' && fold(again, reply).log.length === 2);
  await again[Symbol.asyncDispose]();
  // What follows on these lines is heard after anything that was sent before.
  const other = await submit('demo.noop');
  for (const line of [watcher, late]) await line.watch(other);
  expect(watcher.events.slice(heard).filter(({ job }) => job === id)).toEqual([]);
  expect(late.events.filter(({ job }) => job === id)).toEqual([]);
});

test('what has ended counts towards no limit', async () => {
  await using watcher = await connect(spillway.status.url);
  for (let round = 0; round < 3; round += 1) {
    const ids = await Promise.all(Array.from({ length: 100 }, () => submit('demo.noop')));
    const reply = await watcher.watch(...ids);
    const hasEnded = (id: string) =>
      watcher.events.some((event) => event.job === id && event.kind === 'state' && event.state === 'completed');
    for (const [index, id] of ids.entries()) {
      const { state } = snapshotOf(reply, index).job;
      await until('its end', () => state === 'completed' || hasEnded(id));
    }
  }
});

test('a watch with a cursor brings only the lines that follow', async () => {
  await using watcher = await connect(spillway.status.url);
  const id = await submit('demo.steps', { steps: 5, stepMs: 1 });
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`);
  const snapshot = snapshotOf(await watcher.watch({ job: id, after: { pos: '0-0', log: 3, output: 0 } }));
  expect(snapshot.log.map(({ n }) => n)).toEqual([3, 4]);
  expect(snapshot.cursor.log).toBe(5);
});

test('a connection hears nothing of jobs that it does not watch, or no longer watches', async () => {
  await using watcher = await connect(spillway.status.url);
  await using other = await connect(spillway.status.url);
  const [left, watched] = [
    await submit('demo.noop', {}, { delayMs: 60_000 }),
    await submit('demo.noop', {}, { delayMs: 60_000 }),
  ];
  await watcher.watch(left, watched);
  await other.watch(left);
  await watcher.socket.emitWithAck('unwatch', { targets: [{ job: left }] });
  for (const id of [left, watched]) await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`);
  await until('the cancellation', () => watcher.events.length > 0 && other.events.length > 0);
  expect(watcher.events.map(({ job }) => job)).toEqual([watched]);
  expect(other.events).toMatchObject([{ job: left, kind: 'state', state: 'cancelled' }]);
});

test('cancellation, failure and removal reach the watcher', async () => {
  await using watcher = await connect(spillway.status.url);
  const failing = await submit('demo.steps', { steps: 3, stepMs: 1, failAt: 1 }, { delayMs: 300 });
  const removed = await submit('demo.noop', {}, { delayMs: 60_000 });
  await watcher.watch(failing, removed);
  await call(spillway.url, 'DELETE', `/v1/jobs/${removed}`);
  await until(
    'both ends',
    () =>
      watcher.events.some(({ kind }) => kind === 'removed') &&
      watcher.events.some((event) => event.kind === 'state' && event.state === 'failed'),
  );
  expect(watcher.events.find((event) => event.kind === 'state' && event.state === 'failed')).toMatchObject({
    error: { code: 'handler_failed' },
  });
});

test('an unknown job is answered for itself, beside the others', async () => {
  await using watcher = await connect(spillway.status.url);
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  const reply = await watcher.watch('nope', id, 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV');
  expect(reply).toMatchObject({
    results: [
      { job: 'nope', error: { code: 'job_not_found' } },
      { job: id, snapshot: {} },
      { error: { code: 'job_not_found' } },
    ],
  });
});

test.each([
  [null, /expected object, got null/],
  [{}, /targets is required/],
  [{ targets: [] }, /at least 1 item/],
  [{ targets: [{ job: 7 }] }, /\/targets\/0\/job expected string, got 7/],
  [{ targets: [{ job: 'x', after: { pos: 'now' } }] }, /pos/],
  [{ targets: Array(201).fill({ job: 'x' }) }, /at most 200 items/],
])('the request %j is refused with what was expected', async (request, message) => {
  await using watcher = await connect(spillway.status.url);
  const reply = await (
    watcher.socket as { emitWithAck(event: string, request: unknown): Promise<WatchReply> }
  ).emitWithAck('watch', request);
  expect(reply).toMatchObject({ error: { code: 'invalid_request', message: expect.stringMatching(message) } });
});

test('one connection watches at most 200 jobs', async () => {
  await using watcher = await connect(spillway.status.url);
  const ids = await Promise.all(Array.from({ length: 201 }, () => submit('demo.noop', {}, { delayMs: 60_000 })));
  await watcher.watch(...ids.slice(0, 150));
  expect(await watcher.watch(...ids.slice(100, 201))).toMatchObject({
    error: { message: expect.stringContaining('at most 200') },
  });
  expect(await watcher.watch(...ids.slice(100, 200))).toMatchObject({ results: expect.any(Array) });
});

test('a page of another site may not connect, one of this site may', async () => {
  await expect(connect(spillway.url, { origin: 'https://evil.example' })).rejects.toMatchObject({
    data: { code: 'forbidden' },
  });
  await using own = await connect(spillway.url, { origin: spillway.url });
  expect(own.socket.connected).toBe(true);
});

test('with keys configured only a key with the scope read may watch', async () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const env = { SPILLWAY_KEYS: `r:read:${sha256('sw_r')},s:submit:${sha256('sw_s')}` };
  await using locked = await startSpillway({ workers: 0, env });
  await expect(connect(locked.status.url)).rejects.toMatchObject({ data: { code: 'unauthorized' } });
  await expect(connect(locked.status.url, { token: 'sw_x' })).rejects.toMatchObject({ data: { code: 'unauthorized' } });
  await expect(connect(locked.status.url, { token: 'sw_s' })).rejects.toMatchObject({ data: { code: 'forbidden' } });
  await using watcher = await connect(locked.url, { token: 'sw_r' });
  expect(watcher.socket.connected).toBe(true);
});

test('health, readiness and figures are told', async () => {
  expect(await call(spillway.status.url, 'GET', '/healthz')).toMatchObject({ status: 200, body: { ok: true } });
  expect(await call(spillway.status.url, 'GET', '/readyz')).toMatchObject({
    status: 200,
    body: { ready: true, checks: { redis: 'ok' } },
  });
  expect((await call<string>(spillway.status.url, 'GET', '/metrics')).body).toContain('process_cpu_seconds_total');
  expect((await call(spillway.status.url, 'GET', '/nope')).status).toBe(404);
});
