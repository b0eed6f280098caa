import { createHash } from 'node:crypto';
import type { BatchReply, Job, JobOptions, Problem, SubmitReply } from '@spillway/contracts';
import { call, openProxy, type ServiceProcess, type Spillway, startService, startSpillway } from '@spillway/testkit';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let spillway: Spillway;
/** A second api on the same Redis. */
let second: ServiceProcess;
beforeAll(async () => {
  spillway = await startSpillway();
  second = await startService('api', spillway.env);
  spillway.sandbox.defer(() => second.stop());
});
afterAll(() => spillway[Symbol.asyncDispose]());

let keys = 0;
const newKey = () => `key-${++keys}`;
const LATER = { delayMs: 3_600_000 };

const submit = (
  key: string,
  body: object,
  { url = spillway.url, headers = {} }: { url?: string; headers?: object } = {},
) => call<SubmitReply>(url, 'POST', '/v1/jobs', body, { 'idempotency-key': key, ...headers });
const submitBatch = (key: string, body: unknown, url = spillway.url) =>
  call<BatchReply>(url, 'POST', '/v1/batches', body, { 'idempotency-key': key });
const replayed = ({ headers }: { headers: Headers }) => headers.get('idempotent-replayed');

/** How many jobs have this tag. */
async function countOf(tag: string): Promise<number> {
  const { body } = await call<{ jobs: Job[] }>(spillway.url, 'GET', `/v1/jobs?tag=${tag}&limit=100`);
  return body.jobs.length;
}

test('the same key and body is the same job: in flight, after its end and after its removal', async () => {
  const key = newKey();
  const body = { type: 'demo.steps', input: { steps: 2, stepMs: 1 }, options: { delayMs: 50 } };
  const first = await submit(key, body);
  expect([first.status, replayed(first)]).toEqual([202, null]);
  const inFlight = await submit(key, { options: { delayMs: 50 }, input: { stepMs: 1, steps: 2 }, type: 'demo.steps' });
  expect([inFlight.status, replayed(inFlight)]).toEqual([200, 'true']);
  expect(inFlight.body).toMatchObject({ id: first.body.id, watch: { token: expect.any(String) } });

  const ended = await submit(key, body, { headers: { prefer: 'wait=20' } });
  expect([ended.status, replayed(ended)]).toEqual([200, 'true']);
  expect(ended.body).toMatchObject({ id: first.body.id, state: 'completed', result: { steps: 2 } });

  await call(spillway.url, 'DELETE', `/v1/jobs/${first.body.id}`);
  const gone = await submit(key, body, { headers: { prefer: 'wait=20' } });
  expect([gone.status, replayed(gone)]).toEqual([200, 'true']);
  const { id, type, queue, createdAt, links } = first.body;
  expect(gone.body).toMatchObject({ id, type, queue, createdAt, links, removed: true });
  const receipt = await submit(key, body, { headers: { prefer: 'return=minimal' } });
  expect(receipt.body).toEqual({ id, state: 'delayed', removed: true });
});

test('another body under the key is refused, whatever is different', async () => {
  const key = newKey();
  await submit(key, { type: 'demo.noop', options: LATER });
  const others = [
    { type: 'demo.noop' },
    { type: 'demo.noop', input: { n: 1 }, options: LATER },
    { type: 'csv.profile', input: { source: `file:${'0'.repeat(26)}.csv` }, options: LATER },
  ];
  for (const other of others) {
    const { status, body } = await submit(key, other);
    expect({ status, body }).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused', retryable: false } });
  }
  expect(await submitBatch(key, [{ type: 'demo.noop' }])).toMatchObject({ status: 422 });
});

test.each(['', 'two words', 'ä', 'x'.repeat(256)])('the key %j is refused, saying what was expected', async (key) => {
  const { status, body } = await submit(encodeURI(key) === key ? key : Buffer.from(key).toString('latin1'), {
    type: 'demo.noop',
  });
  expect(status).toBe(400);
  expect(body as unknown as Problem).toMatchObject({
    code: 'invalid_request',
    detail: expect.stringContaining('expected 1 to 255 visible ASCII characters, got'),
  });
});

test.each<JobOptions>([{}, LATER, { priority: 5 }])(
  'many submits at once under one key (%j) through two api processes make exactly one job',
  async (options) => {
    const tag = newKey();
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        submit(
          tag,
          { type: 'demo.noop', options: { ...options, tags: [tag] } },
          { url: n % 2 ? second.url : spillway.url },
        ),
      ),
    );
    expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1);
    expect(replies.filter(({ status, headers }) => status === 202 && !headers.has('idempotent-replayed'))).toHaveLength(
      1,
    );
    expect(await countOf(tag)).toBe(1);
  },
);

test.each<JobOptions>([{}, LATER, { dedupe: { key: 'k' } }])(
  'a submit (%j) whose api was killed between claim and job is completed by its repeat through another',
  async (options) => {
    const tag = newKey();
    const body = { type: 'demo.noop', options: { ...options, tags: [tag] } };
    await using proxy = await openProxy([spillway.sandbox.redisUrl]);
    await using dying = await startService('api', { ...spillway.env, REDIS_URL: proxy.url.replace('http', 'redis') });
    const reached = proxy.stopBefore(':submitted:');
    const lost = submit(tag, body, { url: dying.url }).catch(() => 'no answer');
    await reached;
    await dying.stop('SIGKILL');
    expect(await lost).toBe('no answer');
    expect(await countOf(tag)).toBe(0);
    const repeated = await submit(tag, body, { url: second.url });
    expect((await submit(tag, body)).body.id).toBe(repeated.body.id);
    expect(await countOf(tag)).toBe(1);
  },
);

test('a batch whose api was killed before it answered is answered by its repeat, and none of it runs twice', async () => {
  const key = newKey();
  const body = [
    ...Array(40).fill({ type: 'demo.noop' }),
    ...Array(20).fill({ type: 'demo.noop', options: LATER }),
    { type: 'no.such' },
  ];
  await using proxy = await openProxy([spillway.sandbox.redisUrl]);
  await using dying = await startService('api', { ...spillway.env, REDIS_URL: proxy.url.replace('http', 'redis') });
  const reached = proxy.stopBefore(':outcome');
  const lost = submitBatch(key, body, dying.url).catch(() => 'no answer');
  await reached;
  await dying.stop('SIGKILL');
  expect(await lost).toBe('no answer');

  const repeated = await submitBatch(key, body);
  expect([repeated.status, replayed(repeated)]).toEqual([200, 'true']);
  expect(repeated.body).toMatchObject({ accepted: 60, refused: 1 });
  const again = await submitBatch(key, body, second.url);
  expect({ ...again.body, watch: {} }).toEqual({ ...repeated.body, watch: {} });
  const ids = repeated.body.jobs.flatMap((entry) => ('id' in entry ? [entry.id] : []));
  expect(new Set(ids).size).toBe(60);
  const jobs = await Promise.all(
    ids.slice(0, 40).map((id) => call<Job>(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`)),
  );
  for (const job of jobs) expect(job.body).toMatchObject({ state: 'completed', attempt: 1, batch: repeated.body.id });
});

test('a line of a batch may have a key of its own, which is the same key as that of a submit', async () => {
  const key = newKey();
  const job = { type: 'demo.noop', options: LATER };
  const { body: first } = await submit(key, job);
  const { body } = await call<BatchReply>(spillway.url, 'POST', '/v1/batches', [
    { ...job, idempotencyKey: key },
    { ...job, input: { n: 1 }, idempotencyKey: key },
    { ...job, idempotencyKey: 'two words' },
  ]);
  expect(body).toMatchObject({
    accepted: 1,
    refused: 2,
    jobs: [
      { id: first.id, replayed: true },
      { error: { code: 'idempotency_key_reused' } },
      { error: { code: 'invalid_request', message: expect.stringContaining('visible ASCII') } },
    ],
  });
});

test('a dedupe key returns the job that stands, and options that do not go together are refused', async () => {
  const body = { type: 'demo.noop', options: { ...LATER, dedupe: { key: newKey() } } };
  const post = (wanted: object) => call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', wanted);
  const first = await post(body);
  expect(first.body).not.toHaveProperty('deduplicated');
  const other = await post({ ...body, input: { n: 2 } });
  expect(other).toMatchObject({ status: 202, body: { id: first.body.id, deduplicated: true, state: 'delayed' } });
  expect(replayed(other)).toBeNull();
  expect(await post({ ...body, options: { dedupe: { key: 'k', mode: 'throttle' } } })).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ pointer: '/options/dedupe/ttlMs' }] },
  });
});

test('the keys of one caller say nothing about those of another', async () => {
  const env = { SPILLWAY_KEYS: `ann:submit:${sha256('sw_ann')},bob:submit:${sha256('sw_bob')}` };
  await using locked = await startSpillway({ env });
  const as = (key: string, input: object) =>
    submit('same', { type: 'demo.noop', input }, { url: locked.url, headers: { authorization: `Bearer ${key}` } });
  const ann = await as('sw_ann', { n: 1 });
  const bob = await as('sw_bob', { n: 2 });
  expect([ann.status, bob.status]).toEqual([202, 202]);
  expect((await as('sw_ann', { n: 1 })).body.id).toBe(ann.body.id);
});

test('a key may not be forgotten before its job', async () => {
  const env = { ...spillway.env, SPILLWAY_IDEMPOTENCY_TTL_S: '3600' };
  await expect(startService('api', env)).rejects.toThrow(
    'SPILLWAY_IDEMPOTENCY_TTL_S: expected a whole number from 86400 to 31536000, got "3600"',
  );
});
