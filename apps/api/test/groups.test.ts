import type { BatchReply, Job, JobList, Problem, QueueInfo, QueueLimits, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

const get = <T>(path: string) => call<T>(spillway.url, 'GET', path);
const post = <T>(path: string, body?: unknown) => call<T>(spillway.url, 'POST', path, body);
const limit = <T = QueueLimits>(body: unknown) => call<T>(spillway.url, 'PUT', '/v1/queues/demo/limits', body);
const submit = <T = SubmitReply>(options: unknown) => post<T>('/v1/jobs', { type: 'demo.noop', options });

test('jobs of a group are submitted one by one and in batches, take turns, and say which group they are of', async () => {
  const { status, body } = await submit({ group: 'ACME & Söhne', priority: 3 });
  expect(status).toBe(202);
  expect(body).toMatchObject({ group: 'ACME & Söhne', priority: 3 });
  const many = await post<BatchReply>(
    '/v1/batches',
    Array.from({ length: 300 }, (_, n) => ({ type: 'demo.noop', options: { group: `group ${n % 7}` } })),
  );
  expect(many.body.accepted).toBe(300);
  const last = many.body.jobs.at(-1) as { id: string };
  for (const id of [body.id, last.id])
    expect((await get<Job>(`/v1/jobs/${id}?wait=50`)).body).toMatchObject({ state: 'completed', attempt: 1 });
  const { jobs } = (await get<JobList>(`/v1/jobs?batch=${many.body.id}&limit=1`)).body;
  expect(jobs[0]?.group).toMatch(/^group \d$/);
});

test('a queue tells of its groups that have jobs in line, with the limits that they have', async () => {
  await post('/v1/queues/demo/pause');
  const groups = { default: { concurrency: 4 }, byName: { big: { weight: 3, rate: { max: 2, perMs: 3_600_000 } } } };
  expect((await limit({ groups })).body).toEqual({ groups });
  expect((await get<QueueLimits>('/v1/queues/demo/limits')).body).toEqual({ groups });
  for (let n = 0; n < 9; n += 1) await submit({ group: 'big' });
  for (let n = 0; n < 5; n += 1) await submit({ group: 'little' });
  const info = (await get<QueueInfo>('/v1/queues/demo')).body;
  expect(info.counts.waiting).toBe(14);
  expect(info.groups).toEqual({
    withJobs: 2,
    longest: [
      { name: 'big', waiting: 7, running: 2, weight: 3, concurrency: 4, rate: { max: 2, perMs: 3_600_000 } },
      { name: 'little', waiting: 1 + 1, running: 3, weight: 1, concurrency: 4 },
    ],
  });
  await limit({});
  expect((await get<QueueLimits>('/v1/queues/demo/limits')).body).toEqual({});
  await post('/v1/queues/demo/resume');
  await until('all to have run', async () => (await get<QueueInfo>('/v1/queues/demo')).body.counts.waiting === 0);
  expect((await get<QueueInfo>('/v1/queues/demo')).body.groups).toBeUndefined();
});

test.each([
  ['no name', { group: '' }, '/options/group'],
  ['a name of 10 KB', { group: 'x'.repeat(10_240) }, '/options/group'],
  ['a number', { group: 7 }, '/options/group'],
])('a submit with %s for a group is refused', async (_name, options, pointer) => {
  const { status, body } = await submit<Problem>(options);
  expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid_request', pointer]);
});

test.each([
  ['a weight of zero', { default: { weight: 0 } }, '/groups/default/weight'],
  ['a negative weight', { byName: { a: { weight: -1 } } }, '/groups/byName/a/weight'],
  ['a weight above 1,000', { default: { weight: 1001 } }, '/groups/default/weight'],
  ['half a job', { default: { concurrency: 0.5 } }, '/groups/default/concurrency'],
  ['a rate without a window', { default: { rate: { max: 1 } } }, '/groups/default/rate/perMs'],
  ['a misspelt field', { default: { wieght: 2 } }, '/groups/default/wieght'],
  [
    'more than 10,000 names',
    { byName: Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`customer ${n}`, {}])) },
    '/groups/byName',
  ],
  ['a name that no job can have', { byName: { ['x'.repeat(129)]: {} } }, undefined],
])('limits with %s are refused, and those that were there stay', async (_name, groups, pointer) => {
  const kept = { default: { weight: 2 } };
  await limit({ groups: kept });
  const { status, body } = await limit<Problem>({ groups });
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  if (pointer) expect(body.errors?.map((error) => error.pointer)).toContain(pointer);
  expect((await get<QueueLimits>('/v1/queues/demo/limits')).body).toEqual({ groups: kept });
  await limit({});
});
