import type { Job, JobList, LogPage, Problem, RetryFailedReply, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

const submit = (type: string, input: unknown = {}, options: object = {}, headers = {}) =>
  call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type, input, options }, headers);
const get = <T = Job>(path: string) => call<T>(spillway.url, 'GET', path);
const post = <T>(path: string, body?: unknown) => call<T>(spillway.url, 'POST', path, body);

test('a submitted job is answered with 202, its place and its links, and runs', async () => {
  const { status, headers, body } = await submit('demo.steps', { steps: 2, stepMs: 1 });
  expect(status).toBe(202);
  expect(headers.get('location')).toBe(`/v1/jobs/${body.id}`);
  expect(body).toMatchObject({
    type: 'demo.steps',
    queue: 'demo',
    state: 'waiting',
    links: { self: `/v1/jobs/${body.id}` },
  });
  const done = await get(`${body.links.self}?wait=20`);
  expect(done.body).toMatchObject({
    state: 'completed',
    attempt: 1,
    input: { steps: 2, stepMs: 1 },
    result: { steps: 2 },
  });
  expect((await get<unknown>(body.links.result)).body).toEqual({ steps: 2 });
  expect((await get<LogPage>(body.links.log)).body).toMatchObject({ first: 0, next: 2, lines: [{ n: 0 }, { n: 1 }] });
  expect((await get<LogPage>(`${body.links.log}?after=1&limit=1`)).body.lines).toHaveLength(1);
});

test('Prefer: return=minimal answers with id and state alone, and says that it did', async () => {
  const stored = await submit('demo.noop', {}, { delayMs: 60_000 }, { prefer: 'return=minimal' });
  expect(stored.status).toBe(202);
  expect(stored.body).toEqual({ id: expect.any(String), state: 'delayed' });
  expect(stored.headers.get('preference-applied')).toBe('return=minimal');
  expect(stored.headers.get('location')).toBe(`/v1/jobs/${stored.body.id}`);

  const ended = await submit('demo.noop', {}, {}, { prefer: 'return=minimal, wait=20' });
  expect([ended.status, ended.body]).toEqual([200, { id: expect.any(String), state: 'completed' }]);
  expect(ended.headers.get('preference-applied')).toBe('wait=20, return=minimal');
});

test('Prefer: wait answers 200 with the finished job, and 202 where it takes longer', async () => {
  const quick = await submit('demo.steps', { steps: 1, stepMs: 1 }, {}, { prefer: 'wait=20' });
  expect(quick).toMatchObject({ status: 200, body: { state: 'completed', result: { steps: 1 } } });
  expect(quick.headers.get('preference-applied')).toBe('wait=20');
  const long = await submit(
    'demo.steps',
    { steps: 1000, stepMs: 10_000 },
    { delayMs: 60_000 },
    { prefer: 'respond-async, wait=1' },
  );
  expect(long).toMatchObject({ status: 202, body: { state: 'delayed' } });
});

test('many can wait for one job, and all are told of its end', async () => {
  const { body } = await submit('demo.steps', { steps: 3, stepMs: 50 });
  const replies = await Promise.all(Array.from({ length: 20 }, () => get(`/v1/jobs/${body.id}?wait=20`)));
  expect(replies.map((reply) => reply.body.state)).toEqual(Array(20).fill('completed'));
});

test('an unchanged job answers 304 to its ETag', async () => {
  const { body } = await submit('demo.noop', {}, { delayMs: 60_000 });
  const etag = (await get(`/v1/jobs/${body.id}`)).headers.get('etag')!;
  expect(await call(spillway.url, 'GET', `/v1/jobs/${body.id}`, undefined, { 'if-none-match': etag })).toMatchObject({
    status: 304,
    body: '',
  });
  await post(`/v1/jobs/${body.id}/cancel`);
  expect((await call(spillway.url, 'GET', `/v1/jobs/${body.id}`, undefined, { 'if-none-match': etag })).status).toBe(
    200,
  );
});

test.each([
  [
    { type: 'demo.steps', input: { steps: 'x' } },
    422,
    'invalid_input',
    ['/input/steps'],
    /steps expected integer, got "x"/,
  ],
  [
    { type: 'demo.steps', input: { stepz: 1 } },
    422,
    'invalid_input',
    ['/input/stepz'],
    /stepz is not a known field; expected steps, stepMs/,
  ],
  [
    { type: 'demo.steps', input: [1] },
    422,
    'invalid_input',
    ['/input'],
    /\/input.* expected object, got an array of 1/,
  ],
  [{ type: 'image.variants', input: {} }, 422, 'invalid_input', ['/input/source'], /source is required/],
  [
    { type: 'image.variants', input: { source: 'photo.jpg' } },
    422,
    'invalid_input',
    ['/input/source'],
    /expected a file reference/,
  ],
  [
    { type: 'demo.steps', options: { attempts: 0, colour: 'red' } },
    400,
    'invalid_request',
    ['/options/attempts', '/options/colour'],
    /attempts expected >= 1, got 0/,
  ],
  [{ input: {} }, 400, 'invalid_request', ['/type'], /type is required/],
  [{ type: 7 }, 400, 'invalid_request', ['/type'], /type expected string, got 7/],
  [[], 400, 'invalid_request', [''], /expected object, got an empty array/],
  ['{"type": nope', 400, 'invalid_json', undefined, /expected a JSON body/],
  ['', 400, 'invalid_json', undefined, /expected a JSON body/],
  [
    { type: 'no.such' },
    404,
    'unknown_type',
    undefined,
    /one of the registered types \(.*demo.steps.*\), got "no.such"/,
  ],
  [
    { type: 'demo.noop', input: { fat: 'x'.repeat(300_000) } },
    413,
    'body_too_large',
    undefined,
    /at most 262144 bytes/,
  ],
])('the body %j is refused and nothing is stored', async (body, status, code, pointers, detail) => {
  const before = await get<{ counts: object }>('/v1/queues/demo');
  const reply = await call<Problem>(spillway.url, 'POST', '/v1/jobs', body);
  expect(reply.headers.get('content-type')).toContain('application/problem+json');
  expect(reply).toMatchObject({
    status,
    body: { status, code, detail: expect.stringMatching(detail), requestId: reply.headers.get('x-request-id') },
  });
  expect(reply.body.errors?.map(({ pointer }) => pointer).sort()).toEqual(pointers && [...pointers].sort());
  expect(before.status).toBe(200);
});

test('a body that is no JSON is refused by its type', async () => {
  const reply = await call<Problem>(spillway.url, 'POST', '/v1/jobs', 'steps=1', { 'content-type': 'text/plain' });
  expect(reply).toMatchObject({
    status: 415,
    body: { code: 'unsupported_media_type', detail: expect.stringContaining('text/plain') },
  });
});

test('a handler’s error ends the job as failed, and a retry gives it all its attempts again', async () => {
  const { body } = await submit('demo.steps', { steps: 3, stepMs: 1, failAt: 2 });
  const failed = await get(`/v1/jobs/${body.id}?wait=20`);
  expect(failed.body).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'handler_failed' } });
  expect(await get(`/v1/jobs/${body.id}/result`)).toMatchObject({ status: 409, body: { code: 'job_final' } });
  expect((await post<{ done: boolean }>(`/v1/jobs/${body.id}/retry`)).body.done).toBe(true);
  await until('the second failure', async () => (await get(`/v1/jobs/${body.id}`)).body.attempt === 2);
});

test('failed jobs of a queue are retried by a filter, and what happened to them before is kept', async () => {
  const options = { tags: ['again'], attempts: 2, backoff: { type: 'fixed', delayMs: 1, maxDelayMs: 5 } };
  const { body } = await submit('demo.steps', { steps: 3, stepMs: 1, failAt: 2 }, options);
  const { history } = (await get(`/v1/jobs/${body.id}?wait=20`)).body;
  expect(history).toMatchObject([1, 2].map((attempt) => ({ attempt, error: { code: 'handler_failed' } })));
  const retry = (queue: string, filter: object) =>
    call<RetryFailedReply>(spillway.url, 'POST', `/v1/queues/${queue}/retry-failed`, filter);
  expect((await retry('demo', { tag: 'again', code: 'timeout' })).body).toEqual({ retried: 0, more: false });
  expect((await retry('demo', { tag: 'again', type: 'demo.steps' })).body).toEqual({ retried: 1, more: false });
  await until('the end', async () => (await get(`/v1/jobs/${body.id}`)).body.history?.length === 4);
  expect((await get(`/v1/jobs/${body.id}`)).body).toMatchObject({ state: 'failed', attempt: 4, attempts: 4 });
  expect(await retry('nope', {})).toMatchObject({ status: 404, body: { code: 'unknown_queue' } });
  expect(await retry('demo', { limit: 0 })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  expect(await retry('demo', { cursor: 'x' })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('a waiting job is cancelled once, and whoever waits for it is told', async () => {
  const { body } = await submit('demo.noop', {}, { delayMs: 60_000 });
  const waiting = get(`/v1/jobs/${body.id}?wait=20`);
  expect((await post(`/v1/jobs/${body.id}/cancel`)).body).toMatchObject({ done: true, job: { state: 'cancelled' } });
  expect((await post(`/v1/jobs/${body.id}/cancel`)).body).toMatchObject({ done: false });
  expect((await waiting).body).toMatchObject({ state: 'cancelled', error: { message: 'cancelled by open' } });
});

test('a running job is told to stop, with who and why, and ends as cancelled', async () => {
  const { body } = await submit('demo.steps', { steps: 1000, stepMs: 50 });
  await until('the start', async () => (await get(`/v1/jobs/${body.id}`)).body.state === 'active');
  const cancel = { by: 'open', reason: 'wrong file', at: expect.any(String) };
  expect(await post(`/v1/jobs/${body.id}/cancel`, { reason: 'wrong file' })).toMatchObject({
    status: 202,
    body: { done: true, job: { state: 'active', cancel } },
  });
  expect((await post(`/v1/jobs/${body.id}/cancel`)).body).toMatchObject({ done: false, job: { cancel } });
  expect((await get(`/v1/jobs/${body.id}?wait=20`)).body).toMatchObject({
    state: 'cancelled',
    attempt: 1,
    cancel,
    error: { code: 'cancelled', message: 'cancelled by open: wrong file' },
  });
  expect(await post(`/v1/jobs/${body.id}/cancel`)).toMatchObject({ status: 200, body: { done: false } });
});

test.each([
  [{ reason: '' }, '/reason expected at least 1 character'],
  [{ reason: 'x'.repeat(501) }, '/reason expected at most 500 characters'],
  [{ reason: 7 }, '/reason expected string, got 7'],
  [{ why: 'x' }, 'why'],
  [[], 'expected object'],
])('a cancel with the body %j is refused with what was expected, and cancels nothing', async (given, expected) => {
  const { body } = await submit('demo.noop', {}, { delayMs: 60_000 });
  const { status, body: problem } = await post<Problem>(`/v1/jobs/${body.id}/cancel`, given);
  expect([status, problem.code]).toEqual([400, 'invalid_request']);
  expect(problem.detail).toContain(expected);
  expect((await get(`/v1/jobs/${body.id}`)).body.state).toBe('delayed');
});

test('a running job is not forgotten, and a finished one neither cancelled nor retried', async () => {
  const { body } = await submit('demo.steps', { steps: 1000, stepMs: 50 });
  await until('the start', async () => (await get(`/v1/jobs/${body.id}`)).body.state === 'active');
  expect(await call(spillway.url, 'DELETE', `/v1/jobs/${body.id}`)).toMatchObject({
    status: 409,
    body: { code: 'job_active' },
  });
  expect(await post(`/v1/jobs/${body.id}/retry`)).toMatchObject({ status: 409, body: { code: 'job_active' } });
  await post(`/v1/jobs/${body.id}/cancel`);
  const done = await submit('demo.noop', {}, {}, { prefer: 'wait=20' });
  expect(await post(`/v1/jobs/${done.body.id}/cancel`)).toMatchObject({ status: 409, body: { code: 'job_final' } });
  expect(await post(`/v1/jobs/${done.body.id}/retry`)).toMatchObject({ status: 409, body: { code: 'job_final' } });
});

test('a forgotten job is gone', async () => {
  const { body } = await submit('demo.noop', {}, {}, { prefer: 'wait=20' });
  expect((await call(spillway.url, 'DELETE', `/v1/jobs/${body.id}`)).status).toBe(204);
  for (const path of ['', '/result', '/log', '/output']) {
    expect(await get(`/v1/jobs/${body.id}${path}`)).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
  }
  expect((await call(spillway.url, 'DELETE', `/v1/jobs/${body.id}`)).status).toBe(404);
});

test('a list is paged by its cursor and filtered by type, state and tag', async () => {
  const tag = `t${Math.random()}`;
  for (let n = 0; n < 5; n += 1) await submit('demo.noop', { n }, { tags: [tag], delayMs: 60_000 });
  const first = await get<JobList>(`/v1/jobs?tag=${tag}&limit=3`);
  expect(first.body.jobs).toHaveLength(3);
  const second = await get<JobList>(`/v1/jobs?tag=${tag}&limit=3&cursor=${first.body.next}`);
  expect(second.body.jobs).toHaveLength(2);
  expect(second.body).not.toHaveProperty('next');
  expect((await get<JobList>(`/v1/jobs?tag=${tag}&state=completed`)).body.jobs).toEqual([]);
  expect((await get<JobList>(`/v1/jobs?tag=${tag}&type=demo.noop&state=delayed&limit=100`)).body.jobs).toHaveLength(5);
});

test.each([
  ['/v1/jobs?limit=0', 'invalid_request'],
  ['/v1/jobs?limit=101', 'invalid_request'],
  ['/v1/jobs?limit=ten', 'invalid_request'],
  ['/v1/jobs?state=lost', 'invalid_request'],
  ['/v1/jobs?colour=red', 'invalid_request'],
  ['/v1/jobs?cursor=x', 'invalid_request'],
  ['/v1/jobs?queue=nope', 'unknown_queue'],
  ['/v1/jobs/nope', 'job_not_found'],
  ['/v1/jobs/demo.01ARZ3NDEKTSV4RRFFQ69G5FAV', 'job_not_found'],
  ['/v1/jobs/demo.01ARZ3NDEKTSV4RRFFQ69G5FAV?wait=60', 'invalid_request'],
  ['/v1/jobs/demo.01ARZ3NDEKTSV4RRFFQ69G5FAV?wait=1', 'job_not_found'],
  ['/v1/jobs/demo.01ARZ3NDEKTSV4RRFFQ69G5FAV/log?after=-1', 'invalid_request'],
  ['/v1/types/nope', 'unknown_type'],
  ['/v1/queues/nope', 'unknown_queue'],
  ['/v1/nothing', 'not_found'],
])('GET %s is answered with %s', async (path, code) => {
  const reply = await get<Problem>(path);
  expect(reply.body.code).toBe(code);
  expect(reply.status).toBe(code === 'invalid_request' ? 400 : 404);
});
