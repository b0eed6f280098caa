import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import type { Problem, SnapshotPage, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { fold, followToEnd, logNumbers, numbers, readEvents } from './event-reader.ts';

const UNKNOWN = 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV';

// Some tests start processes twice.
jest.setTimeout(60_000);

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

async function submit(type: string, input: object = {}, options: object = {}, base = spillway.url): Promise<string> {
  const { body } = await call<SubmitReply>(base, 'POST', '/v1/jobs', { type, input, options });
  return body.id;
}

const eventsOf = (id: string) => `/v1/jobs/${id}/events`;
const addressOf = (way: string) => (way === 'status' ? spillway.status.url : spillway.url);

describe.each(['status', 'api'])('through %s', (way) => {
  test('a job is followed to its end, and who has seen that is told not to ask again', async () => {
    const id = await submit('demo.steps', { steps: 5, stepMs: 60 });
    const { messages, connections } = await followToEnd(addressOf(way), eventsOf(id));
    expect(messages[0]).toMatchObject({ event: 'snapshot', data: { job: { id } } });
    expect(messages.some(({ event }) => event === 'events')).toBe(true);
    expect(fold(messages)?.job).toMatchObject({ state: 'completed', progress: { fraction: 1 }, result: { steps: 5 } });
    expect(logNumbers(messages)).toEqual(numbers(5));
    expect(messages.at(-1)?.id).toMatch(/^completed~\d+-\d+~5~0/);
    expect(connections).toBe(2);
  });

  test('the stream is of the right type, held back by nobody, and tells how soon to come back', async () => {
    await using reader = await readEvents(addressOf(way), eventsOf(await submit('demo.noop', {}, { delayMs: 60_000 })));
    expect(reader.response.statusCode).toBe(200);
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    await until('the first message', () => reader.messages.length === 1);
    expect(Number(/^retry: (\d+)\n/.exec(reader.text())?.[1])).toBeGreaterThanOrEqual(1000);
  });

  test.each([
    [eventsOf(UNKNOWN), {}, 404, 'job_not_found', /expected the id of a stored job/],
    [eventsOf('nope'), {}, 404, 'job_not_found', /got "nope"/],
    [eventsOf(UNKNOWN), { 'last-event-id': 'yesterday' }, 400, 'invalid_request', /Last-Event-ID.*got "yesterday"/],
    [`${eventsOf(UNKNOWN)}?after=1-0~x~0`, {}, 400, 'invalid_request', /after.*got "1-0~x~0"/],
    [`${eventsOf(UNKNOWN)}?wait=5`, {}, 400, 'invalid_request', /wait expected 0, got "5"/],
    [`${eventsOf(UNKNOWN)}?since=0`, {}, 400, 'invalid_request', /since/],
    [eventsOf(UNKNOWN), { origin: 'https://evil.example' }, 403, 'forbidden', /evil\.example/],
    [eventsOf(UNKNOWN), { host: 'evil.example' }, 403, 'forbidden', /evil\.example/],
    [eventsOf(UNKNOWN), { host: 'evil.example', 'x-forwarded-host': 'localhost' }, 403, 'forbidden', /evil\.example/],
  ])('%s with %j is refused with %i', async (path, headers, status, code, detail) => {
    const reader = await readEvents(addressOf(way), path, { headers: { ...headers, 'x-request-id': 'r-1' } });
    expect(await reader.over).toBe('ended');
    expect(reader.response.headers['content-type']).toBe('application/problem+json');
    expect(reader.response.statusCode).toBe(status);
    const problem = JSON.parse(reader.text()) as Problem;
    expect(problem).toMatchObject({ status, code, requestId: 'r-1', detail: expect.stringMatching(detail) });
  });
});

test('plain curl follows a job and exits by itself when the job has ended', async () => {
  const id = await submit('demo.steps', { steps: 4, stepMs: 100 });
  const { stdout } = await promisify(execFile)('curl', ['-sSN', `${spillway.url}${eventsOf(id)}`], { timeout: 60_000 });
  expect(stdout).toMatch(/^retry: \d+\nid: \S+\nevent: snapshot\ndata: \{.*\}\n\n/);
  expect(stdout).toMatch(/\nid: completed~\S+\nevent: events\ndata: \[.*"state":"completed".*\]\n\n$/);
});

test('a message arrives when it is due, not when the next one pushes it on', async () => {
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  await using reader = await readEvents(spillway.url, eventsOf(id));
  await until('the snapshot', () => reader.messages.length === 1);
  await call(spillway.url, 'POST', `/v1/jobs/${id}/cancel`);
  expect(await reader.over).toBe('ended');
  expect(fold(reader.messages)?.job).toMatchObject({ state: 'cancelled' });
  expect(reader.messages.at(-1)?.id).toMatch(/^cancelled~/);
});

test('however often the connection is cut, every line arrives once and in order', async () => {
  const steps = 250;
  const id = await submit('demo.steps', { steps, stepMs: 10 });
  // Cut behind the first, second, third or fourth message, in the middle of the next one or before it.
  const { messages, connections } = await followToEnd(spillway.url, eventsOf(id), (reader) => {
    const most = 1 + Math.floor(Math.random() * 4);
    let chunks = 0;
    reader.response.on('data', () => ++chunks > most && reader.cut());
  });
  expect(logNumbers(messages)).toEqual(numbers(steps));
  expect(fold(messages)?.job.state).toBe('completed');
  expect(connections).toBeGreaterThan(3);
});

test('`after` continues too, and Last-Event-ID goes before it', async () => {
  const id = await submit('demo.steps', { steps: 4, stepMs: 1 });
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`);
  const linesFrom = async (after: string, last?: string) => {
    const reader = await readEvents(spillway.url, `${eventsOf(id)}?after=${after}`, { last });
    expect(await reader.over).toBe('ended');
    return logNumbers(reader.messages);
  };
  expect(await linesFrom('0-0~2~0')).toEqual([2, 3]);
  expect(await linesFrom('0-0~2~0', '0-0~3~0')).toEqual([3]);
  // Numbers that the job never had: the cursor of another one. It is told everything.
  expect(await linesFrom('9-9~40~0')).toEqual([0, 1, 2, 3]);
});

test('an end that was not seen is told, whatever the cursor holds', async () => {
  const id = await submit('demo.steps', { steps: 2, stepMs: 1, failAt: 2 });
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`);
  const ask = async (last: string) => {
    const reader = await readEvents(spillway.url, eventsOf(id), { last });
    await reader.over;
    return reader.response.statusCode;
  };
  const { next } = (await call<SnapshotPage>(spillway.url, 'GET', `${eventsOf(id)}?wait=0`)).body;
  expect(next).toMatch(/^failed~/);
  expect(await ask(next)).toBe(204);
  expect(await ask(next.replace('failed~', ''))).toBe(200);
  expect(await ask(next.replace('failed~', 'completed~'))).toBe(200);
});

test('with wait=0 there is the snapshot alone, as JSON, with what to ask for next', async () => {
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  const { status, body } = await call<SnapshotPage>(spillway.url, 'GET', `${eventsOf(id)}?wait=0`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ job: { id, state: 'delayed' }, cursor: { log: 0, output: 0 }, log: [], output: [] });
  expect(body.next).toMatch(/^\d+-\d+~0~0/);
});

test('a job that is removed says so, and is then unknown', async () => {
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  const reader = await readEvents(spillway.url, eventsOf(id));
  await until('the snapshot', () => reader.messages.length === 1);
  await call(spillway.url, 'DELETE', `/v1/jobs/${id}`);
  expect(await reader.over).toBe('ended');
  expect(reader.messages.at(-1)).toMatchObject({ event: 'removed', data: { job: id } });
  await using again = await readEvents(spillway.url, eventsOf(id), { last: reader.messages.at(-1)?.id });
  expect(again.response.statusCode).toBe(404);
});

test.each(['status', 'api'])('a reader that leaves %s is forgotten by status', async (way) => {
  const openStreams = async () => {
    const { body } = await call<string>(spillway.status.url, 'GET', '/metrics');
    return Number(/^spillway_event_streams\{[^}]*\} (\d+)/m.exec(body)?.[1]);
  };
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  await until('the readers of other tests to be gone', async () => (await openStreams()) === 0);
  const readers = await Promise.all(numbers(3).map(() => readEvents(addressOf(way), eventsOf(id))));
  expect(await openStreams()).toBe(3);
  for (const reader of readers) reader.cut();
  await until('nobody', async () => (await openStreams()) === 0);
});

test('200 streams at once each have the whole truth', async () => {
  const ids = await Promise.all(numbers(20).map(() => submit('demo.steps', { steps: 10, stepMs: 50 })));
  const streams = numbers(200).map((n) => readEvents(spillway.url, eventsOf(ids[n % 20] ?? '')));
  const readers = await Promise.all(streams);
  expect(await Promise.all(readers.map(({ over }) => over))).toEqual(Array(200).fill('ended'));
  for (const { messages } of readers) {
    expect(fold(messages)?.job.state).toBe('completed');
    expect(logNumbers(messages)).toEqual(numbers(10));
  }
});

test('a method other than GET is refused', async () => {
  const reply = await call<Problem>(spillway.status.url, 'POST', eventsOf(UNKNOWN));
  expect(reply).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
  expect(reply.headers.get('allow')).toBe('GET');
  expect((await call(spillway.url, 'POST', eventsOf(UNKNOWN))).status).toBe(404);
});

test('pages of the named sites may read, from api and from status', async () => {
  const origin = 'https://app.example';
  await using open = await startSpillway({ workers: 0, env: { SPILLWAY_ORIGINS: origin } });
  for (const base of [open.url, open.status.url]) {
    await using reader = await readEvents(base, eventsOf(UNKNOWN), { headers: { origin } });
    expect(reader.response.statusCode).toBe(404);
    expect(reader.response.headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'Origin' });
    const asks = { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
    const preflight = await call(base, 'OPTIONS', eventsOf(UNKNOWN), undefined, asks);
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
    await using foreign = await readEvents(base, eventsOf(UNKNOWN), { headers: { origin: 'https://evil.example' } });
    expect(foreign.response.statusCode).toBe(403);
    expect(foreign.response.headers).not.toHaveProperty('access-control-allow-origin');
  }
});

test('with keys configured only a key with the scope read opens a stream', async () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const env = { SPILLWAY_KEYS: `r:read:${sha256('sw_r')},s:submit:${sha256('sw_s')}` };
  await using locked = await startSpillway({ workers: 0, env });
  const ask = async (key?: string) => {
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
    const reply = await call<Problem>(locked.url, 'GET', eventsOf(UNKNOWN), undefined, headers);
    return [reply.status, reply.body.code, reply.headers.get('www-authenticate')];
  };
  expect(await ask()).toEqual([401, 'unauthorized', 'Bearer']);
  expect(await ask('sw_x')).toEqual([401, 'unauthorized', 'Bearer']);
  expect(await ask('sw_s')).toEqual([403, 'forbidden', null]);
  expect(await ask('sw_r')).toEqual([404, 'job_not_found', null]);
});

test('a stream is continued on the next status after one was killed, at the same address of api', async () => {
  await using own = await startSpillway();
  const steps = 300;
  const id = await submit('demo.steps', { steps, stepMs: 20 }, {}, own.url);
  const port = new URL(own.status.url).port;
  let restarted: Promise<AsyncDisposable> | undefined;
  const { messages, connections } = await followToEnd(own.url, eventsOf(id), (reader) => {
    // Not before lines have come, or there would be nothing to continue.
    reader.response.on('data', () => {
      if (restarted || logNumbers(reader.messages).length < 10) return;
      restarted = own.status
        .stop('SIGKILL')
        .then(() => startService('status', { ...own.env, SPILLWAY_STATUS_PORT: port }));
    });
  });
  await using _status = await restarted;
  expect(logNumbers(messages)).toEqual(numbers(steps));
  expect(connections).toBeGreaterThanOrEqual(3);
});

test('a status that stops ends its streams and is gone; api then answers 503 until there is one again', async () => {
  await using own = await startSpillway();
  const id = await submit('demo.noop', {}, { delayMs: 60_000 }, own.url);
  const readers = await Promise.all([own.url, own.status.url].map((base) => readEvents(base, eventsOf(id))));
  for (const { messages } of readers) await until('the snapshot', () => messages.length === 1);
  expect(await own.status.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await Promise.all(readers.map(({ over }) => over))).toEqual(['ended', 'ended']);
  const away = await call<Problem>(own.url, 'GET', eventsOf(id));
  expect(away).toMatchObject({ status: 503, body: { code: 'unavailable', retryable: true } });
  expect(away.headers.get('retry-after')).toBe('1');
  const port = new URL(own.status.url).port;
  await using _status = await startService('status', { ...own.env, SPILLWAY_STATUS_PORT: port });
  await using again = await readEvents(own.url, eventsOf(id), { last: readers[0]?.messages[0]?.id });
  expect(again.response.statusCode).toBe(200);
});

test('an api that stops waits neither for its streams nor for a status that is away', async () => {
  const id = await submit('demo.noop', {}, { delayMs: 60_000 });
  const start = (status: string) => startService('api', { ...spillway.env, SPILLWAY_STATUS_URL: status });
  await using streaming = await start(spillway.status.url);
  await using lonely = await start('http://127.0.0.1:1');
  await using reader = await readEvents(streaming.url, eventsOf(id));
  const held = call(lonely.url, 'GET', eventsOf(id)).catch((error: Error) => error);
  await call(lonely.url, 'GET', '/healthz');
  for (const api of [streaming, lonely]) expect(await api.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await reader.over).toBe('cut');
  await held;
});
