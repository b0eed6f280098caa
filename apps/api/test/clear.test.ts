import { createHash } from 'node:crypto';
import type { CleanReply, ControlReply, DrainReply, Job, Problem, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway } from '@spillway/testkit';

const KEYS = { reader: 'spw_a_reader_0123456789', operator: 'spw_an_operator_0123456789' };
const entry = (name: string, scopes: string, key: string) =>
  `${name}:${scopes}:${createHash('sha256').update(key).digest('hex')}`;

let spillway: Spillway;
beforeAll(async () => {
  const keys = [entry('reader', 'submit+read', KEYS.reader), entry('ann', 'submit+read+control', KEYS.operator)];
  spillway = await startSpillway({ env: { SPILLWAY_KEYS: keys.join(',') } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

const as =
  (key: string) =>
  <T>(method: string, path: string, body?: unknown) =>
    call<T>(spillway.url, method, path, body, { authorization: `Bearer ${key}` });
const ann = as(KEYS.operator);
const delayedJob = async () =>
  (await ann<SubmitReply>('POST', '/v1/jobs', { type: 'demo.noop', options: { delayMs: 600_000 } })).body.id;

test('a queue is drained in calls that say whether there is more, and cleaned of what was drained', async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, delayedJob));
  const drain = (body?: object) => ann<DrainReply>('POST', '/v1/queues/demo/drain', body);
  expect(await drain()).toMatchObject({ status: 200, body: { cancelled: 0, more: false } });
  const asked = { delayed: true, reason: 'a wrong import', limit: 3 };
  expect((await drain(asked)).body).toEqual({ cancelled: 3, more: true });
  expect((await drain(asked)).body).toEqual({ cancelled: 2, more: false });
  const jobs = await Promise.all(ids.map(async (id) => (await ann<Job>('GET', `/v1/jobs/${id}`)).body));
  for (const job of jobs)
    expect(job).toMatchObject({ state: 'cancelled', cancel: { by: 'ann', reason: 'a wrong import' } });

  const clean = (body: object) => ann<CleanReply>('POST', '/v1/queues/demo/clean', body);
  const first = await clean({ state: 'cancelled', limit: 4 });
  expect(first.body).toEqual({ removed: 4, more: true, cursor: expect.any(String) });
  expect((await clean({ state: 'cancelled', cursor: first.body.cursor })).body).toEqual({ removed: 1, more: false });
  expect((await ann('GET', `/v1/jobs/${ids[0]}`)).status).toBe(404);
});

test('a delayed job is changed and promoted, and each call says what it found', async () => {
  const id = await delayedJob();
  const change = (body: object) => ann<ControlReply>('PATCH', `/v1/jobs/${id}`, body);
  expect(await change({ priority: 5 })).toMatchObject({ status: 200, body: { done: true, job: { priority: 5 } } });
  expect((await change({ priority: 5 })).body).toMatchObject({ done: false, job: { state: 'delayed' } });
  expect((await ann<ControlReply>('POST', `/v1/jobs/${id}/promote`)).body.done).toBe(true);
  expect((await ann<Job>('GET', `/v1/jobs/${id}?wait=20`)).body.state).toBe('completed');
  expect((await ann<Problem>('POST', `/v1/jobs/${id}/promote`)).body).toMatchObject({ status: 409, code: 'job_final' });
  expect((await change({ priority: 1 })).status).toBe(409);
});

test.each([
  ['POST', '/v1/queues/demo/drain', { limit: 0 }, 400],
  ['POST', '/v1/queues/demo/drain', { olderThanMs: 1 }, 400],
  ['POST', '/v1/queues/nothing/drain', {}, 404],
  ['POST', '/v1/queues/demo/clean', {}, 400],
  ['POST', '/v1/queues/demo/clean', { state: 'waiting' }, 400],
  ['POST', '/v1/queues/demo/clean', { state: 'failed', cursor: 'x' }, 400],
  ['POST', '/v1/queues/nothing/clean', { state: 'failed' }, 404],
  ['PATCH', '/v1/jobs/ID', {}, 400],
  ['PATCH', '/v1/jobs/ID', { priority: -1 }, 400],
  ['PATCH', '/v1/jobs/ID', { delayMs: 1.5 }, 400],
  ['PATCH', '/v1/jobs/ID', { attempts: 3 }, 400],
  ['PATCH', '/v1/jobs/demo.nothing', { priority: 1 }, 404],
  ['POST', '/v1/jobs/demo.nothing/promote', undefined, 404],
] as const)('%s %s with %j is refused, and changes nothing', async (method, path, body, status) => {
  const id = await delayedJob();
  const { position: _passing, ...before } = (await ann<Job>('GET', `/v1/jobs/${id}`)).body;
  const reply = await ann<Problem>(method, path.replace('ID', id), body);
  expect([reply.status, reply.body.code]).toEqual([status, expect.any(String)]);
  expect((await ann<Job>('GET', `/v1/jobs/${id}`)).body).toMatchObject(before);
});

test('whoever may only submit and read cannot clear or change anything', async () => {
  const id = await delayedJob();
  const calls = [
    ['POST', '/v1/queues/demo/drain', {}],
    ['POST', '/v1/queues/demo/clean', { state: 'failed' }],
    ['PATCH', `/v1/jobs/${id}`, { priority: 1 }],
    ['POST', `/v1/jobs/${id}/promote`, undefined],
  ] as const;
  for (const [method, path, body] of calls)
    expect((await as(KEYS.reader)<Problem>(method, path, body)).body).toMatchObject({ status: 403, code: 'forbidden' });
});
