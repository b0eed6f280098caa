import type { BatchReply, Job, Problem, QueueInfo, QueueLimits, SubmitReply } from '@spillway/contracts';
import { call, type Reply, type Spillway, startService, startSpillway, until } from '@spillway/testkit';

const HOUR_MS = 3_600_000;
/** Nothing of the queue runs while a job holds the only place that it has. */
const HELD = { type: 'demo.steps', input: { steps: 1000, stepMs: 1000 } };

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

const put = (url: string, body: unknown, queue = 'demo') =>
  call<QueueLimits & Problem>(url, 'PUT', `/v1/queues/${queue}/limits`, body);
const submit = (url: string, options = {}) =>
  call<SubmitReply & Problem>(url, 'POST', '/v1/jobs', { type: 'demo.noop', options });
const queue = async (url: string) => (await call<QueueInfo>(url, 'GET', '/v1/queues/demo')).body;

let spillway: Spillway;

beforeAll(async () => {
  spillway = await startSpillway();
});

afterAll(() => spillway?.[Symbol.asyncDispose]());

/** The next test finds the queue as if it were new. */
afterEach(async () => {
  const { url } = spillway;
  await put(url, {});
  await call(url, 'POST', '/v1/queues/demo/drain', { delayed: true });
  await call(url, 'POST', '/v1/queues/demo/resume');
  await until('an idle queue', async () => {
    const { active, waiting, delayed } = (await queue(url)).counts;
    return active + waiting + delayed === 0;
  });
  for (const state of ['completed', 'cancelled'])
    await call(url, 'POST', '/v1/queues/demo/clean', { state, olderThanMs: 0 });
});

test('limits are replaced as a whole, shown with the queue, and refused as a whole', async () => {
  const { url } = spillway;
  const limits = { concurrency: 3, rate: { max: 5, perMs: HOUR_MS }, depth: { max: 10, policy: 'park' } };
  expect(await put(url, { ...limits, tenants: null })).toMatchObject({ status: 200, body: limits });
  expect((await call(url, 'GET', '/v1/queues/demo/limits')).body).toEqual(limits);
  expect((await queue(url)).limits).toEqual(limits);
  const wrong = [
    [{ concurrency: 0 }, '/concurrency expected >= 1 or null, got 0'],
    [{ rate: { max: 1, perMs: HOUR_MS + 1 } }, '/rate/perMs'],
    [{ rate: { max: 1 } }, '/rate/perMs is required'],
    [{ depth: { max: 1.5 } }, '/depth/max'],
    [{ depth: { max: 1, policy: 'drop' } }, '/depth/policy'],
    [{ tenants: { depth: 1, policy: 'drop' } }, '/tenants/policy expected one of "reject", "shed", "park"'],
    [{ groups: { depth: 0 } }, '/groups/depth'],
    [{ concurrency: 9, speed: 1 }, '/speed is not a known field'],
  ] as const;
  for (const [body, detail] of wrong) {
    expect(await put(url, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', detail: expect.stringContaining(detail) },
    });
  }
  expect((await call(url, 'GET', '/v1/queues/demo/limits')).body).toEqual(limits);
  expect((await put(url, {}, 'nowhere')).body.code).toBe('unknown_queue');
  expect((await put(url, {})).body).toEqual({});
  expect((await queue(url)).limits).toBeUndefined();
});

test('a full queue answers 429 with the time after which it has room, and each job of a batch by itself', async () => {
  const { url } = spillway;
  await call(url, 'POST', '/v1/queues/demo/pause');
  await put(url, { depth: { max: 3 } });
  const batch = await call<BatchReply>(
    url,
    'POST',
    '/v1/batches',
    times(5, () => ({ type: 'demo.noop' })),
  );
  expect(batch).toMatchObject({ status: 202, body: { accepted: 3, refused: 2 } });
  expect(batch.body.jobs[4]).toMatchObject({ error: { code: 'queue_full', retryAfterS: expect.any(Number) } });
  const refused = await submit(url);
  expect(refused).toMatchObject({ status: 429, body: { code: 'queue_full', retryable: true } });
  expect(refused.body.detail).toContain('3 waiting jobs in queue demo, got 3');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
});

test('a batch that found the queue full is completed when it is sent again under its key', async () => {
  const { url } = spillway;
  await call(url, 'POST', '/v1/queues/demo/pause');
  await put(url, { depth: { max: 2 } });
  const jobs = times(4, () => ({ type: 'demo.noop' }));
  const send = () => call<BatchReply>(url, 'POST', '/v1/batches', jobs, { 'idempotency-key': 'k' });
  const first = (await send()).body;
  expect(first).toMatchObject({ accepted: 2, refused: 2 });
  await put(url, {});
  const second = (await send()).body;
  expect(second).toMatchObject({ id: first.id, accepted: 4, refused: 0 });
  expect(second.jobs.slice(0, 2)).toMatchObject(first.jobs.slice(0, 2));
  expect((await queue(url)).counts.waiting).toBe(4);
});

test('two api processes that are hammered at once never exceed one depth', async () => {
  await using other = await startService('api', { ...spillway.env, SPILLWAY_STATUS_URL: spillway.status.url });
  await call(spillway.url, 'POST', '/v1/queues/demo/pause');
  await put(spillway.url, { depth: { max: 200 } });
  const kinds = [{}, { priority: 1 }, { tags: ['t'] }, { group: 'g' }];
  const replies: Reply<SubmitReply & Problem>[] = await Promise.all(
    times(600, (n) => submit(n % 2 ? spillway.url : other.url, kinds[n % kinds.length])),
  );
  expect(replies.filter(({ status }) => status === 202)).toHaveLength(200);
  expect(replies.filter(({ body }) => body.code === 'queue_full')).toHaveLength(400);
  expect((await queue(spillway.url)).counts.waiting).toBe(200);
});

test('a job that is parked behind a full line runs when there is room', async () => {
  const { url } = spillway;
  await put(url, { concurrency: 1, depth: { max: 1, policy: 'park' } });
  const held = (await call<SubmitReply>(url, 'POST', '/v1/jobs', HELD)).body;
  await until('the start', async () => (await call<Job>(url, 'GET', `/v1/jobs/${held.id}`)).body.state === 'active');
  const states = [];
  for (const _ of times(3, Number)) states.push((await submit(url)).body.state);
  expect(states).toEqual(['waiting', 'delayed', 'delayed']);
  await call(url, 'POST', `/v1/jobs/${held.id}/cancel`);
  await until('all ends', async () => (await queue(url)).counts.completed === 3);
});

test('what a group has no room for is parked or refused by the policy of groups, each job of a batch by itself', async () => {
  const { url } = spillway;
  await call(url, 'POST', '/v1/queues/demo/pause');
  const own = { byName: { g: { concurrency: 1 } } };
  const groups = { depth: 2, policy: 'park', ...own };
  expect(await put(url, { groups })).toMatchObject({ status: 200, body: { groups } });
  const batch = () => {
    const jobs = times(5, () => ({ type: 'demo.noop', options: { group: 'g' } }));
    return call<BatchReply>(url, 'POST', '/v1/batches', jobs);
  };
  await submit(url, { group: 'g' });
  expect(await batch()).toMatchObject({ status: 202, body: { accepted: 5, refused: 0 } });
  expect((await queue(url)).counts).toMatchObject({ waiting: 3, delayed: 3 });
  await put(url, { groups: { depth: 2, ...own } });
  expect(await batch()).toMatchObject({ status: 202, body: { accepted: 0, refused: 5 } });
  await call(url, 'POST', '/v1/queues/demo/resume');
  await until('all ends', async () => (await queue(url)).counts.completed === 6);
});

test('a job runs at its time, at once where that has passed, and is refused where it is too far off', async () => {
  const { url } = spillway;
  const soon = new Date(Date.now() + HOUR_MS).toISOString();
  expect((await submit(url, { runAt: soon })).body).toMatchObject({ state: 'delayed', runAt: soon });
  const past = (await submit(url, { runAt: '2001-01-01T00:00:00Z' })).body;
  await until('its end', async () => (await call<Job>(url, 'GET', `/v1/jobs/${past.id}`)).body.state === 'completed');
  const wrong: [object, string][] = [
    [{ runAt: '9999-12-31T23:59:59Z' }, '/options/runAt expected a time up to 20'],
    [{ runAt: soon, delayMs: 5 }, '/options/runAt expected none beside delayMs'],
    [{ runAt: 'tomorrow' }, '/options/runAt expected text in the format date-time, got "tomorrow"'],
    [{ delayMs: -1 }, '/options/delayMs expected >= 0, got -1'],
    [{ delayMs: 1.5 }, '/options/delayMs expected integer, got 1.5'],
    [{ delayMs: Number.NaN }, '/options/delayMs expected integer, got null'],
    [{ priority: -1 }, '/options/priority expected >= 0, got -1'],
  ];
  for (const [options, detail] of wrong) {
    expect(await submit(url, options)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', detail: expect.stringContaining(detail) },
    });
  }
});
