import type { Job, JobList, Problem, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway } from '@spillway/testkit';
import { OF_ITSELF } from './of-itself.ts';

const MARKER = 'mark-of-bad-input';
const UNKNOWN = 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());
afterAll(() => expect(spillway.api.output()).not.toContain(MARKER));

/** Every key that there is, but for those that services renew by themselves. */
async function storedKeys(): Promise<string[]> {
  const redis = await spillway.sandbox.connect();
  return (await redis.keys(`${spillway.sandbox.prefix}:*`)).filter((key) => !OF_ITSELF.test(key)).sort();
}

async function send(method: string, path: string, body?: string | Buffer, type = 'application/json') {
  const response = await fetch(spillway.url + path, {
    method,
    ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)), headers: { 'content-type': type } }),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: (await response.json()) as Problem,
  };
}

const job = (options: string, input = `{"note":"${MARKER}"}`) =>
  `{"type":"demo.noop","input":${input},"options":${options}}`;

test.each<[string, string | Buffer, number, string, RegExp]>([
  ['a negative delay', job('{"delayMs":-1}'), 400, 'invalid_request', /delayMs expected >= 0, got -1/],
  ['a delay of more than a year', job('{"delayMs":9e15}'), 400, 'invalid_request', /delayMs expected <= 31536000000/],
  [
    'a priority that is NaN',
    job('{"priority":NaN}'),
    400,
    'invalid_json',
    /expected a JSON body, got one that breaks off/,
  ],
  [
    'a priority that is infinite',
    job('{"priority":1e999}'),
    400,
    'invalid_request',
    /priority expected .*, got Infinity/,
  ],
  ['a priority that is null', job('{"priority":null}'), 400, 'invalid_request', /priority expected integer, got null/],
  [
    'a priority beyond what is exact',
    job('{"priority":9007199254740993}'),
    400,
    'invalid_request',
    /priority expected <= /,
  ],
  [
    'a gigantic body',
    job('{}', JSON.stringify(MARKER.repeat(20_000))),
    413,
    'body_too_large',
    /at most 262144 bytes, got 3/,
  ],
  [
    'a deeply nested body',
    job('{}', '['.repeat(10_000) + ']'.repeat(10_000)),
    400,
    'invalid_json',
    /at most 256 levels/,
  ],
  [
    'bytes that are no UTF-8',
    Buffer.from(job('{"tags":["\u00e9"]}'), 'latin1'),
    400,
    'invalid_json',
    /expected a JSON body in UTF-8/,
  ],
  ['half a character in a tag', job('{"tags":["\\ud800"]}'), 400, 'invalid_json', /whole characters, got a \\u escape/],
  ['half a character in a key', job('{}', '{"\\udc00":1}'), 400, 'invalid_json', /whole characters/],
  [
    'a prototype',
    job('{}', '{"__proto__":{"a":1}}'),
    400,
    'invalid_json',
    /expected plain data, got a field __proto__/,
  ],
  ['a truncated body', job('{}').slice(0, -1), 400, 'invalid_json', /breaks off/],
  [
    'a field with an endless name',
    `{"type":"demo.noop","${'k'.repeat(9000)}":1}`,
    400,
    'invalid_request',
    /k{100}… is not a known/,
  ],
])('%s is refused, nothing is stored and nothing logged', async (_what, body, status, code, detail) => {
  const before = await storedKeys();
  const reply = await send('POST', '/v1/jobs', body);
  expect(reply).toMatchObject({ status, type: 'application/problem+json', body: { status, code } });
  expect(reply.body.detail).toMatch(detail);
  expect(JSON.stringify(reply.body).length).toBeLessThan(4000);
  expect(await storedKeys()).toEqual(before);
});

test('one bad tag harms nobody who submits at the same moment', async () => {
  const bodies = [job('{"tags":["good"]}'), job('{"tags":["\\ud800"]}'), job('{"tags":["\u{1f600}\\u0000"]}')];
  const replies = await Promise.all(bodies.map((body) => send('POST', '/v1/jobs', body)));
  expect(replies.map(({ status }) => status)).toEqual([202, 400, 202]);
});

test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'multipart/form-data; boundary=b'])(
  'a job as %s is refused',
  async (type) => {
    const reply = await send('POST', '/v1/jobs', job('{}'), type);
    expect(reply).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    expect(reply.body.detail).toContain(`expected content-type application/json, got ${type}`);
  },
);

test.each([
  'meta',
  'wait',
  '..%2fx',
  '%2e%2e%2fx',
  '%00',
  '{demo}',
  `nowhere.${UNKNOWN.slice(5)}`,
  UNKNOWN,
  `${UNKNOWN}:lock`,
])('the id %s, which no job has, is answered so by every call, and leaves nothing behind', async (id) => {
  const before = await storedKeys();
  const calls = [
    ...['', '/result', '/log', '/output', '/events?wait=0'].map((part) => send('GET', `/v1/jobs/${id}${part}`)),
    ...['/cancel', '/retry'].map((part) => send('POST', `/v1/jobs/${id}${part}`)),
    send('DELETE', `/v1/jobs/${id}`),
    send('POST', '/v1/tickets', JSON.stringify({ job: decodeURIComponent(id) })),
  ];
  for (const reply of await Promise.all(calls)) {
    expect(reply).toMatchObject({ status: 404, type: 'application/problem+json', body: { code: 'job_not_found' } });
    expect(reply.body.detail).toContain(`got ${JSON.stringify(decodeURIComponent(id))}`);
  }
  expect(await storedKeys()).toEqual(before);
});

test.each([
  ['%zz', 'invalid_request', 400],
  ['%c3%28', 'invalid_request', 400],
  ['x'.repeat(129), 'invalid_request', 400],
])('the id %s, which nobody can read, is refused', async (id, code, status) => {
  expect(await send('GET', `/v1/jobs/${id}`)).toMatchObject({
    status,
    type: 'application/problem+json',
    body: { code },
  });
});

test('a job that is cancelled twice is cancelled once, and says so', async () => {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', JSON.parse(job('{"delayMs":60000}')));
  const cancel = () => call<{ done: boolean; job: Job }>(spillway.url, 'POST', `/v1/jobs/${body.id}/cancel`);
  expect(await cancel()).toMatchObject({ status: 200, body: { done: true, job: { state: 'cancelled' } } });
  expect(await cancel()).toMatchObject({ status: 200, body: { done: false, job: { state: 'cancelled' } } });
});

test('jobs are listed by batch and tag, and a cursor of another list is refused', async () => {
  const jobs = Array.from({ length: 3 }, () => JSON.parse(job('{"delayMs":60000,"tags":["listed"]}')));
  const batch = await call<{ id: string }>(spillway.url, 'POST', '/v1/batches', jobs);
  for (const filter of [`batch=${batch.body.id}`, 'tag=listed']) {
    const first = await call<JobList>(spillway.url, 'GET', `/v1/jobs?${filter}&limit=2`);
    const rest = await call<JobList>(spillway.url, 'GET', `/v1/jobs?${filter}&limit=2&cursor=${first.body.next}`);
    expect(new Set([...first.body.jobs, ...rest.body.jobs].map(({ id }) => id)).size).toBe(3);
    expect(rest.body.next).toBeUndefined();
    expect(await send('GET', `/v1/jobs?cursor=${first.body.next}`)).toMatchObject({ status: 400 });
  }
});
