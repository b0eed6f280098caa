import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Batch, BatchResult, BatchStreamReply, Job, JobList, RetryFailedReply } from '@spillway/contracts';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ workers: 2 });
});
afterAll(() => spillway[Symbol.asyncDispose]());

const NOOP = { type: 'demo.noop' };
const LATER = { type: 'demo.noop', options: { delayMs: 3_600_000 } };

/** Sends lines as they are taken by the socket, over a connection of its own. */
async function stream(lines: Iterable<unknown>, query = '', headers = {}, url = spillway.url) {
  const call = request(new URL(`/v1/batches${query}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });
  const answered = once(call, 'response');
  for (const line of lines) {
    const text = typeof line === 'string' ? line : JSON.stringify(line);
    if (!call.write(`${text}\n`)) await once(call, 'drain');
  }
  call.end();
  const [response] = await answered;
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode as number, body: JSON.parse(text) as BatchStreamReply & { detail: string } };
}

const read = async (id: string, url = spillway.url) => (await call<Batch>(url, 'GET', `/v1/batches/${id}`)).body;
const ended = (id: string) =>
  until(
    'the end of the batch',
    async () => {
      const batch = await read(id);
      return batch.finishedAt ? batch : undefined;
    },
    60_000,
  );

test('ten thousand lines are one batch, each job runs once, and the counts are exact', async () => {
  const { status, body } = await stream(Array(10_000).fill(NOOP));
  expect(status).toBe(202);
  expect(body).toMatchObject({ lines: 10_000, accepted: 10_000, refused: 0, problems: [] });
  expect(await ended(body.id)).toMatchObject({ total: 10_000, completed: 10_000, open: 0, failed: 0, sealed: true });
});

test('a bad line is refused by its number, and the others are kept', async () => {
  const { status, body } = await stream([
    LATER,
    '{"type":',
    '',
    { type: 'no.such' },
    { type: 'demo.steps', input: { steps: 'many' } },
    '7',
    `{"type":"demo.noop","input":"${'x'.repeat(1_100_000)}"}`,
    '{"type":"demo.noop","input":{"a":"\\ud800"}}',
    LATER,
  ]);
  expect(status).toBe(202);
  expect(body).toMatchObject({ lines: 9, accepted: 2, refused: 6 });
  expect(body.problems).toMatchObject([
    { line: 2, code: 'invalid_json' },
    { line: 4, code: 'unknown_type' },
    { line: 5, code: 'invalid_input', errors: [{ pointer: '/input/steps' }] },
    { line: 6, code: 'invalid_request' },
    { line: 7, code: 'body_too_large' },
    { line: 8, code: 'invalid_json' },
  ]);
  expect(await read(body.id)).toMatchObject({ total: 2, open: 2, refused: 6, sealed: true });
});

test('of very many problems the first thousand are told, and how many there were', async () => {
  const { body } = await stream(Array(1500).fill('no'));
  expect(body).toMatchObject({ lines: 1500, accepted: 0, refused: 1500 });
  expect(body.problems).toHaveLength(1000);
});

test('a client that is cut half-way leaves a batch of what arrived, which is sealed', async () => {
  const { hostname, port } = new URL(spillway.url);
  const socket = connect({ host: hostname, port: Number(port) });
  const tag = 'cut-half-way';
  const line = JSON.stringify({ ...LATER, options: { ...LATER.options, tags: [tag] } });
  const head = `POST /v1/batches HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${10_000 * (line.length + 1)}\r\n\r\n`;
  socket.write(head + `${line}\n`.repeat(3000) + line.slice(0, 10));
  const batch = await until('the first jobs', async () => {
    const { body } = await call<JobList>(spillway.url, 'GET', `/v1/jobs?tag=${tag}&limit=1`);
    return body.jobs[0]?.batch;
  });
  await until('3,000 jobs', async () => (await read(batch)).total === 3000);
  expect(await read(batch)).toMatchObject({ sealed: false, open: 3000 });
  socket.destroy();
  const sealed = await until('the seal', async () => {
    const found = await read(batch);
    return found.sealed ? found : undefined;
  });
  expect(sealed).toMatchObject({ total: 3000, open: 3000 });
});

test('a batch whose api is killed half-way seals itself, and what follows it is submitted', async () => {
  const api = await startService('api', { ...spillway.env, SPILLWAY_STATUS_URL: spillway.status.url });
  const { hostname, port } = new URL(api.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  const line = JSON.stringify({ type: 'demo.noop', options: { tags: ['killed-api'] } });
  socket.write(
    `POST /v1/batches?onComplete=demo.noop HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n${`${line}\n`.repeat(500)}`,
  );
  const batch = await until('the jobs', async () => {
    const { body } = await call<JobList>(spillway.url, 'GET', '/v1/jobs?tag=killed-api&limit=1');
    const id = body.jobs[0]?.batch;
    return id !== undefined && (await read(id)).total === 500 ? id : undefined;
  });
  await api.stop('SIGKILL');
  socket.destroy();
  const found = await until(
    'the seal',
    async () => {
      const { body } = await call<Batch>(spillway.url, 'GET', `/v1/batches/${batch}`);
      return body.onComplete?.job ? body : undefined;
    },
    60_000,
  );
  expect(found).toMatchObject({ total: 500, completed: 500, sealed: true });
});

test('the counts are exact where workers are killed midway', async () => {
  const lines = Array.from({ length: 600 }, () => ({ type: 'demo.steps', input: { steps: 2, stepMs: 5 } }));
  const { body } = await stream(lines);
  await until('some ends', async () => (await read(body.id)).completed > 100);
  const victim = spillway.workers[0];
  await victim?.stop('SIGKILL');
  await spillway.addWorker();
  expect(await ended(body.id)).toMatchObject({ total: 600, completed: 600, failed: 0, cancelled: 0, open: 0 });
});

test('two apis tell the same of a batch, and follow it up once', async () => {
  const other = await startService('api', { ...spillway.env, SPILLWAY_STATUS_URL: spillway.status.url });
  spillway.sandbox.defer(() => other.stop());
  const { body } = await stream(Array(50).fill(NOOP), '?onComplete=demo.noop', {}, other.url);
  const batch = await until('what follows', async () => {
    const [one, two] = await Promise.all([read(body.id), read(body.id, other.url)]);
    return one.onComplete?.job && one.onComplete.job === two.onComplete?.job ? one : undefined;
  });
  const job = await call<Job>(spillway.url, 'GET', `/v1/jobs/${batch.onComplete?.job}?wait=20`);
  expect(job.body).toMatchObject({
    type: 'demo.noop',
    state: 'completed',
    input: { batch: body.id, counts: { total: 50, completed: 50, open: 0, failed: 0, cancelled: 0, removed: 0 } },
  });
});

test('a batch is cancelled, its failures listed and retried, and its results streamed', async () => {
  const { body } = await stream([
    ...Array(3).fill({ type: 'demo.steps', input: { steps: 1, stepMs: 1, failAt: 1 }, options: { attempts: 1 } }),
    ...Array(2).fill(NOOP),
    ...Array(140).fill(LATER),
  ]);
  await until('the ends', async () => {
    const { failed, completed } = await read(body.id);
    return failed === 3 && completed === 2;
  });
  const cancel = await call(spillway.url, 'POST', `/v1/batches/${body.id}/cancel`, { reason: 'no need' });
  expect(cancel).toMatchObject({ status: 200, body: { cancelled: 140, stopping: 0 } });
  const failures = await call<JobList>(spillway.url, 'GET', `/v1/batches/${body.id}/failures?limit=2`);
  expect(failures.body.jobs).toMatchObject([{ state: 'failed' }, { state: 'failed' }]);
  const rest = await call<JobList>(
    spillway.url,
    'GET',
    `/v1/batches/${body.id}/failures?limit=2&cursor=${failures.body.next}`,
  );
  expect(rest.body.jobs).toHaveLength(1);
  expect(rest.body.next).toBeUndefined();

  const response = await fetch(`${spillway.url}/v1/batches/${body.id}/results`);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const results = (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchResult);
  expect(results).toHaveLength(145);
  const states = results.map(({ state }) => state);
  expect([...new Set(states)].sort()).toEqual(['cancelled', 'completed', 'failed']);
  expect(results.find(({ state }) => state === 'cancelled')?.error?.message).toContain('no need');

  const retried = await call<RetryFailedReply>(spillway.url, 'POST', `/v1/batches/${body.id}/retry-failed`);
  expect(retried.body).toEqual({ retried: 3, more: false });
  await until('the second failures', async () => (await read(body.id)).failed === 3);
});

test.each([
  ['?onComplete=no.such', {}, 'unknown_type'],
  ['?onComplete=demo.steps', {}, 'invalid_input'],
  ['?webhook=ftp://somewhere', {}, 'invalid_request'],
  ['?onComplete=demo.noop&webhook=http://127.0.0.1/', {}, 'invalid_request'],
  ['', { 'idempotency-key': 'one' }, 'invalid_request'],
])('a stream to %s with %j is refused before its first line is stored', async (query, headers, code) => {
  const tag = `refused-${query.length}`;
  const { body } = await stream([{ ...LATER, options: { ...LATER.options, tags: [tag] } }], query, headers);
  expect(body).toMatchObject({ code });
  const { body: found } = await call<JobList>(spillway.url, 'GET', `/v1/jobs?tag=${tag}`);
  expect(found.jobs).toEqual([]);
});

test('a batch that is not there is not found', async () => {
  const id = 'batch.01ARZ3NDEKTSV4RRFFQ69G5FAV';
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/failures'],
    ['GET', '/results'],
    ['POST', '/cancel'],
    ['POST', '/retry-failed'],
  ] as const)
    expect(await call(spillway.url, method, `/v1/batches/${id}${path}`)).toMatchObject({
      status: 404,
      body: { code: 'batch_not_found' },
    });
});
