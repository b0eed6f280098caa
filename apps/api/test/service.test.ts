import { readFile } from 'node:fs/promises';
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FileInfo, JobType, Problem, QueueInfo, SubmitReply, WorkerInfo } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

const PHOTO = `${__dirname}/../../../docs/examples/photo.jpg`;

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

const get = <T>(path: string, headers = {}) => call<T>(spillway.url, 'GET', path, undefined, headers);

async function upload(content: Buffer | string, name: string, type: string, field = 'file') {
  const form = new FormData();
  form.set(field, new Blob([content as BlobPart], { type }), name);
  const response = await fetch(new URL('/v1/files', spillway.url), { method: 'POST', body: form });
  return { status: response.status, body: (await response.json()) as FileInfo & Problem };
}

test('types, queues and workers are as the worker registered them', async () => {
  const { types } = (await get<{ types: JobType[] }>('/v1/types')).body;
  expect(types.map(({ type }) => type)).toEqual([
    'csv.profile',
    'demo.noop',
    'demo.steps',
    'http.deliver',
    'image.variants',
  ]);
  expect((await get<JobType>('/v1/types/demo.steps')).body).toMatchObject({
    queue: 'demo',
    input: { properties: { steps: { default: 5 } } },
  });
  const { queues } = (await get<{ queues: QueueInfo[] }>('/v1/queues')).body;
  expect(queues.find(({ name }) => name === 'demo')).toMatchObject({
    paused: false,
    workers: 1,
    types: ['demo.noop', 'demo.steps'],
  });
  const { workers } = (await get<{ workers: WorkerInfo[] }>('/v1/workers')).body;
  expect(workers).toMatchObject([{ pid: spillway.workers[0]!.pid, queues: ['data', 'deliveries', 'demo', 'images'] }]);
});

test('a paused queue holds its jobs until it is resumed', async () => {
  const post = (verb: string) =>
    call<{ done: boolean; queue: QueueInfo }>(spillway.url, 'POST', `/v1/queues/data/${verb}`);
  expect((await post('pause')).body).toMatchObject({ done: true, queue: { paused: true } });
  expect((await post('pause')).body.done).toBe(false);
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', {
    type: 'csv.profile',
    input: { source: 'path:/nowhere' },
  });
  expect((await get<QueueInfo>('/v1/queues/data')).body.counts.waiting).toBe(1);
  expect((await post('resume')).body).toMatchObject({ done: true, queue: { paused: false } });
  await until('its end', async () => (await get<{ state: string }>(`/v1/jobs/${body.id}`)).body.state === 'failed');
});

test('a photo that is uploaded comes back as it was, and becomes its variants', async () => {
  const photo = await readFile(PHOTO);
  const { status, body } = await upload(photo, 'my photo.jpg', 'image/jpeg');
  expect({ status, body }).toMatchObject({
    status: 201,
    body: { ref: `file:${body.id}`, contentType: 'image/jpeg', sizeBytes: photo.length },
  });
  const file = await fetch(new URL(body.url, spillway.url));
  expect(Buffer.from(await file.arrayBuffer()).equals(photo)).toBe(true);
  expect(file.headers.get('content-disposition')).toBe("inline; filename*=UTF-8''my%20photo.jpg");
  const input = { source: body.ref, widths: [64, 128], formats: ['webp'] };
  const job = await call<SubmitReply>(
    spillway.url,
    'POST',
    '/v1/jobs',
    { type: 'image.variants', input },
    { prefer: 'wait=30' },
  );
  const { variants } = job.body.result as { variants: { width: number; url: string }[] };
  expect(variants.map(({ width }) => width)).toEqual([64, 128]);
  expect((await fetch(new URL(variants[0]!.url, spillway.url))).headers.get('content-type')).toBe('image/webp');
});

test.each([
  ['not an image', 'photo.jpg', 'image/jpeg', 'file', 415, 'unsupported_media_type'],
  ['MZ\0\0binary\0', 'tool.exe', 'application/octet-stream', 'file', 415, 'unsupported_media_type'],
  ['a,b\n1,2\n', 'table.csv', 'text/csv', 'other', 400, 'invalid_request'],
])('the upload %j is refused', async (content, name, type, field, status, code) => {
  expect(await upload(content, name, type, field)).toMatchObject({ status, body: { code } });
});

test('an uploaded page is only ever downloaded, never shown as ours', async () => {
  const { body } = await upload('a,b\n<script>alert(1)</script>,2\n', 'x.csv', 'text/csv');
  const file = await fetch(new URL(body.url, spillway.url));
  expect(file.headers.get('content-disposition')).toMatch(/^attachment/);
  expect(file.headers.get('content-security-policy')).toContain('sandbox');
  expect(file.headers.get('x-content-type-options')).toBe('nosniff');
});

test.each(['nope', '..%2F..%2Fetc%2Fpasswd', '01ARZ3NDEKTSV4RRFFQ69G5FAV.jpg'])(
  'the file %s is not found',
  async (id) => {
    expect(await get(`/v1/files/${id}`)).toMatchObject({ status: 404, body: { code: 'file_not_found' } });
  },
);

test('a request keeps the caller’s id where it is harmless, and gets one where it is not', async () => {
  expect((await get('/healthz', { 'x-request-id': 'abc-1' })).headers.get('x-request-id')).toBe('abc-1');
  expect((await get('/healthz', { 'x-request-id': 'a b<c>' })).headers.get('x-request-id')).toMatch(/^[\w-]+$/);
});

test('metrics count jobs by queue and state, and requests by route', async () => {
  await call(spillway.url, 'POST', '/v1/jobs', { type: 'demo.noop' });
  const { body } = await get<string>('/metrics');
  expect(body).toMatch(/spillway_jobs\{queue="demo",state="waiting",service="api"\} \d+/);
  expect(body).toMatch(/spillway_jobs_submitted_total\{type="demo.noop",queue="demo",service="api"\} 1/);
  expect(body).toMatch(/spillway_http_request_seconds_count\{.*route="\/v1\/jobs".*\} \d+/);
  expect(body).toMatch(/spillway_workers\{service="api"\} 1/);
});

test('each declared reply can be written: the first one of its kind is not where that shows', async () => {
  const { body } = await get<{ paths: Record<string, Record<string, { responses: object }>>; components: object }>(
    '/openapi.json',
  );
  const { paths, components } = body;
  const compile = SerializerSelector()();
  let compiled = 0;
  for (const [url, methods] of Object.entries(paths))
    for (const [method, { responses }] of Object.entries(methods))
      for (const [httpStatus, reply] of Object.entries(responses) as [string, { content?: object }][])
        for (const { schema } of Object.values(reply.content ?? {}) as { schema?: object }[]) {
          if (!schema) continue;
          expect(compile({ url, method, httpStatus, schema: { ...schema, components } })).toBeInstanceOf(Function);
          compiled += 1;
        }
  expect(compiled).toBeGreaterThan(100);
});

test('the contract is OpenAPI 3.1 and names every route, and the reference page loads nothing from elsewhere', async () => {
  const { body } = await get<{ openapi: string; paths: object }>('/openapi.json');
  expect(body.openapi).toBe('3.1.0');
  expect(Object.keys(body.paths).sort()).toEqual([
    '/healthz',
    '/metrics',
    '/readyz',
    '/v1/batches',
    '/v1/batches/{id}',
    '/v1/batches/{id}/cancel',
    '/v1/batches/{id}/failures',
    '/v1/batches/{id}/results',
    '/v1/batches/{id}/retry-failed',
    '/v1/files',
    '/v1/files/{id}',
    '/v1/flows',
    '/v1/jobs',
    '/v1/jobs/{id}',
    '/v1/jobs/{id}/cancel',
    '/v1/jobs/{id}/events',
    '/v1/jobs/{id}/log',
    '/v1/jobs/{id}/output',
    '/v1/jobs/{id}/promote',
    '/v1/jobs/{id}/result',
    '/v1/jobs/{id}/retry',
    '/v1/queues',
    '/v1/queues/{name}',
    '/v1/queues/{name}/clean',
    '/v1/queues/{name}/drain',
    '/v1/queues/{name}/limits',
    '/v1/queues/{name}/pause',
    '/v1/queues/{name}/resume',
    '/v1/queues/{name}/retry-failed',
    '/v1/scaling',
    '/v1/schedules',
    '/v1/schedules/{name}',
    '/v1/schedules/{name}/pause',
    '/v1/schedules/{name}/resume',
    '/v1/schedules/{name}/trigger',
    '/v1/tickets',
    '/v1/tokens',
    '/v1/tokens/{id}',
    '/v1/types',
    '/v1/types/{type}',
    '/v1/workers',
  ]);
  expect(body.paths).toMatchObject({
    '/v1/jobs': { post: { requestBody: { required: true } } },
    '/v1/jobs/{id}/cancel': { post: { requestBody: { required: false } } },
  });
  const page = await get<string>('/docs/');
  expect(page.status).toBe(200);
  expect(page.body).not.toMatch(/(?:src|href)="https?:/);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
});

test.each([
  ['https://evil.example', undefined, 403],
  ['null', undefined, 403],
  [undefined, undefined, 200],
])('a page of %s may not call an open api', async (origin, _host, status) => {
  const reply = await call<Problem>(
    spillway.url,
    'POST',
    '/v1/queues/images/resume',
    undefined,
    origin ? { origin } : {},
  );
  expect(reply.status).toBe(status);
});

test('a page of the same address may call', async () => {
  const origin = spillway.url;
  expect((await call(spillway.url, 'POST', '/v1/queues/images/resume', undefined, { origin })).status).toBe(200);
});
