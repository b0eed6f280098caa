import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ControlReply, JobList, Problem, Schedule, ScheduleControlReply, ScheduleList } from '@spillway/contracts';
import { call, openSandbox, type Spillway, startService, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_JOBS: resolve(__dirname, 'fixtures/schedule-jobs.ts') } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

const NEVER_SOON = { type: 'demo.noop', cron: '@yearly' };
const EVERY_SECOND = { type: 'demo.noop', everyMs: 1000 };

const put = <T = Schedule>(name: string, body: unknown) => call<T>(spillway.url, 'PUT', `/v1/schedules/${name}`, body);
const get = async (name: string) => (await call<Schedule>(spillway.url, 'GET', `/v1/schedules/${name}`)).body;
const control = <T>(name: string, verb: string, headers = {}) =>
  call<T>(spillway.url, 'POST', `/v1/schedules/${name}/${verb}`, undefined, headers);
const jobsOf = async (name: string) =>
  (await call<JobList>(spillway.url, 'GET', `/v1/jobs?schedule=${name}&limit=100`)).body.jobs;

test('a schedule submits a job at each tick, and the jobs say so', async () => {
  await put('ticking', { ...EVERY_SECOND, limit: 2, overlap: 'allow', options: { tags: ['by-clock'] } });
  const jobs = await until('both jobs', async () => {
    const found = await jobsOf('ticking');
    return found.length === 2 ? found : undefined;
  });
  expect(jobs.map(({ schedule, tags }) => [schedule, tags])).toEqual(Array(2).fill(['ticking', ['by-clock']]));
  const [second] = jobs;
  const ended = await until('the second tick to be told', async () => {
    const schedule = await get('ticking');
    return schedule.last?.at === second!.createdAt ? schedule : undefined;
  });
  expect(ended).toMatchObject({ ticks: 2, next: [], last: { outcome: 'submitted', job: second!.id } });
  expect(Date.parse(jobs[0]!.createdAt) - Date.parse(jobs[1]!.createdAt)).toBe(1000);
});

test('a put says when the schedule will be due, and the same again changes nothing', async () => {
  const body = { type: 'demo.noop', cron: '0 9 * * 1-5', timezone: 'Europe/Berlin', limit: 3 };
  const first = await put('nine', body);
  expect([first.status, first.headers.get('location')]).toEqual([201, '/v1/schedules/nine']);
  expect(first.body).toMatchObject({ name: 'nine', ...body, paused: false, ticks: 0 });
  expect(first.body.next).toHaveLength(3);
  expect(await put('nine', body)).toMatchObject({ status: 200, body: first.body });
  const changed = await put('nine', { ...body, limit: 9 });
  expect([changed.status, changed.body.next.length]).toEqual([200, 5]);
  expect(changed.body.createdAt).toBe(first.body.createdAt);
});

test('an unchanged put leaves the rhythm of an interval alone', async () => {
  const body = { type: 'demo.noop', everyMs: 3_600_000 };
  const { next } = (await put('hourly', body)).body;
  expect((await put('hourly', body)).body.next).toEqual(next);
});

test('a schedule is removed, and its name is free', async () => {
  await put('short-lived', NEVER_SOON);
  expect((await call(spillway.url, 'DELETE', '/v1/schedules/short-lived')).status).toBe(204);
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/trigger'],
  ] as const) {
    const { status, body } = await call<Problem>(spillway.url, method, `/v1/schedules/short-lived${path}`);
    expect([status, body.code]).toEqual([404, 'schedule_not_found']);
  }
  expect((await put('short-lived', NEVER_SOON)).status).toBe(201);
});

test('schedules are listed by name, page by page, without their inputs', async () => {
  for (const name of ['list-c', 'list-a', 'list-b']) await put(name, { ...NEVER_SOON, input: { large: true } });
  const names: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await call<ScheduleList>(spillway.url, 'GET', `/v1/schedules?limit=2${cursor}`);
    names.push(...body.schedules.map(({ name }) => name));
    for (const schedule of body.schedules) expect(schedule).not.toHaveProperty('input');
    if (!body.next) break;
    cursor = `&cursor=${body.next}`;
  }
  expect(names).toEqual([...names].sort());
  expect(names).toEqual(expect.arrayContaining(['list-a', 'list-b', 'list-c']));
  const { status } = await call(spillway.url, 'GET', '/v1/schedules?cursor=nonsense');
  expect(status).toBe(400);
});

test('a paused schedule has no ticks, stays paused over a put, and goes on when it is resumed', async () => {
  await put('pausing', NEVER_SOON);
  const paused = await control<ScheduleControlReply>('pausing', 'pause');
  expect(paused.body).toMatchObject({ done: true, schedule: { paused: true, next: [] } });
  expect((await control<ScheduleControlReply>('pausing', 'pause')).body.done).toBe(false);
  expect((await put('pausing', EVERY_SECOND)).body).toMatchObject({ paused: true, next: [], ticks: 0 });
  const resumed = await control<ScheduleControlReply>('pausing', 'resume');
  expect(resumed.body).toMatchObject({ done: true, schedule: { paused: false } });
  expect(resumed.body.schedule.next).toHaveLength(5);
  expect((await control<ScheduleControlReply>('pausing', 'resume')).body.done).toBe(false);
  await until('a tick', async () => (await get('pausing')).ticks > 0);
  await control('pausing', 'pause');
});

test('a trigger submits at once and leaves the ticks alone', async () => {
  const { next } = (await put('by-hand', NEVER_SOON)).body;
  await control('by-hand', 'pause');
  const { status, body } = await control<ControlReply>('by-hand', 'trigger');
  expect([status, body]).toMatchObject([202, { done: true, job: { type: 'demo.noop', schedule: 'by-hand' } }]);
  await control('by-hand', 'resume');
  expect(await get('by-hand')).toMatchObject({ ticks: 0, next });
});

test('a trigger under an idempotency key makes one job', async () => {
  await put('by-key', { ...NEVER_SOON, overlap: 'allow' });
  const again = () => control<ControlReply>('by-key', 'trigger', { 'idempotency-key': 'once' });
  const [first, second] = [await again(), await again()];
  expect([first.status, second.status]).toEqual([202, 200]);
  expect(second.body.job.id).toBe(first.body.job.id);
});

test('an input that no longer fits its type is told as the outcome of the tick, and other schedules go on', async () => {
  await put('unfit', { ...EVERY_SECOND, limit: 1 });
  const redis = await spillway.sandbox.connect();
  const definition = JSON.stringify({ type: 'demo.steps', input: { steps: 'many' }, everyMs: 1000, limit: 1 });
  await redis.hset(`${spillway.sandbox.prefix}:{registry}:schedule:unfit`, 'definition', definition);
  const { last } = await until('the tick', async () => {
    const schedule = await get('unfit');
    return schedule.last ? schedule : undefined;
  });
  const message = expect.stringContaining('/input/steps');
  expect(last).toMatchObject({ outcome: 'failed', error: { code: 'invalid_input', message } });
});

describe('while the job of a tick runs', () => {
  const file = (name: string) => join(spillway.sandbox.folder, name);
  const gated = (name: string, more = {}) => ({
    type: 'test.gated',
    input: { file: file(name) },
    everyMs: 1000,
    ...more,
  });
  const lastOf = (name: string, outcome: string) =>
    until(`${name} to be ${outcome}`, async () => {
      const schedule = await get(name);
      return schedule.last?.outcome === outcome ? schedule.last : undefined;
    });

  test('further ticks are skipped, and those after its end are not', async () => {
    await put('skipping', gated('skip'));
    const { job } = await lastOf('skipping', 'submitted');
    expect(await lastOf('skipping', 'skipped')).toMatchObject({ job });
    expect(await jobsOf('skipping')).toHaveLength(1);
    expect((await control<ControlReply>('skipping', 'trigger')).body).toMatchObject({ done: false, job: { id: job } });
    writeFileSync(file('skip'), '');
    await until('another job', async () => (await jobsOf('skipping')).length > 1);
    await control('skipping', 'pause');
  });

  test('with overlap allow, further ticks submit all the same', async () => {
    await put('piling', gated('pile', { overlap: 'allow', limit: 3 }));
    await until('three jobs', async () => (await jobsOf('piling')).length === 3);
    writeFileSync(file('pile'), '');
  });

  test('with overlap queue-one, however many ticks there were, one job follows', async () => {
    await put('queueing', gated('queue', { overlap: 'queue-one' }));
    const { job } = await lastOf('queueing', 'submitted');
    await lastOf('queueing', 'queued');
    await until('two ticks more', async () => (await get('queueing')).ticks > 2);
    await control('queueing', 'pause');
    writeFileSync(file('queue'), '');
    const ended = await until('the follower to end', async () => {
      const { body } = await call<JobList>(spillway.url, 'GET', '/v1/jobs?queue=gated&state=completed&limit=100');
      const found = body.jobs.filter(({ schedule }) => schedule === 'queueing');
      return found.length === 2 ? found : undefined;
    });
    expect(ended.map(({ id }) => id)).toContain(job);
  });
});

test.each<[string, unknown, number, Partial<Problem>]>([
  ['no times', { type: 'demo.noop' }, 400, { code: 'invalid_request', detail: expect.stringContaining('/cron') }],
  ['two sorts of times', { ...EVERY_SECOND, cron: '@daily' }, 400, { code: 'invalid_request' }],
  [
    'a zone that nobody knows',
    { ...NEVER_SOON, timezone: 'Mars/Base' },
    400,
    {
      code: 'invalid_request',
      errors: [{ pointer: '/timezone', message: expect.stringContaining('got "Mars/Base"') }],
    },
  ],
  [
    'times that never come',
    { type: 'demo.noop', cron: '0 0 31 4,6 *' },
    400,
    {
      code: 'invalid_request',
      errors: [{ pointer: '/cron', message: '/cron: expected times that come, got "0 0 31 4,6 *", which never do' }],
    },
  ],
  ['half a second', { type: 'demo.noop', everyMs: 500 }, 400, { code: 'invalid_request' }],
  ['a date that is none', { ...EVERY_SECOND, startAt: '2026-02-30T00:00:00Z' }, 400, { code: 'invalid_request' }],
  ['a field that there is not', { ...EVERY_SECOND, every: 5 }, 400, { code: 'invalid_request' }],
  ['an overlap that is none', { ...EVERY_SECOND, overlap: 'buffer' }, 400, { code: 'invalid_request' }],
  [
    'two rules for overlapping',
    { ...EVERY_SECOND, overlap: 'skip', options: { dedupe: { key: 'a' } } },
    400,
    { code: 'invalid_request', errors: [{ pointer: '/options/dedupe', message: expect.anything() }] },
  ],
  ['a type that nobody has', { ...EVERY_SECOND, type: 'no.such' }, 404, { code: 'unknown_type' }],
  [
    'an input that does not fit',
    { ...EVERY_SECOND, type: 'demo.steps', input: { steps: 'x' } },
    422,
    { code: 'invalid_input', errors: [{ pointer: '/input/steps', message: expect.anything() }] },
  ],
])('a schedule with %s is refused, and nothing of it is stored', async (_what, body, status, problem) => {
  expect(await put<Problem>('refused', body)).toMatchObject({ status, body: problem });
  expect((await call(spillway.url, 'GET', '/v1/schedules/refused')).status).toBe(404);
});

test('a put that is refused leaves the schedule that was there as it was', async () => {
  const { body: before } = await put<Schedule>('kept', NEVER_SOON);
  for (const wrong of [{ cron: '0 0 30 2 *' }, { timezone: 'Mars/Base' }, { type: 'no.such' }])
    expect((await put('kept', { ...NEVER_SOON, ...wrong })).status).toBeGreaterThanOrEqual(400);
  expect(await get('kept')).toEqual(before);
});

test('a name that is none is refused', async () => {
  expect((await put('a%20b', NEVER_SOON)).status).toBe(400);
});

test('the api that fires is killed between two steps, and each tick still makes one job', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const start = async (name: 'api' | 'worker') => {
    const service = await startService(name, { ...spillway.env, SPILLWAY_PREFIX: sandbox.prefix });
    sandbox.defer(() => service.stop());
    return service;
  };
  await (await start('worker')).stop(); // its types are known from now on, and nothing runs
  const apis = await Promise.all([start('api'), start('api'), start('api')]);
  const ticks = 100;
  const startAt = new Date(Date.now() - 7_200_000).toISOString();
  const body = { type: 'demo.noop', everyMs: 1000, startAt, catchUp: 'all', overlap: 'allow', limit: ticks };
  await call(apis[0].url, 'PUT', '/v1/schedules/hit', body);
  await call(apis[0].url, 'POST', '/v1/schedules/hit/pause');

  // As if no api had run for minutes: the ticks fire together, and their jobs take a moment to store.
  const base = `${sandbox.prefix}:{registry}:`;
  const key = `${base}schedule:hit`;
  const due = Date.now() - 3_600_000;
  await redis.multi().hdel(key, 'paused').hset(key, 'due', due).zadd(`${base}schedules-due`, due, 'hit').exec();
  let kills = 0;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const api = await until('an api that fires', async () => {
      const [holder, pending] = await Promise.all([redis.get(`${base}schedules-lease`), redis.hget(key, 'pending')]);
      const known = apis.find(({ pid, hasEnded }) => holder?.startsWith(`${pid}-`) && !hasEnded());
      if (pending) return known;
      return (await redis.hget(key, 'ticks')) === String(ticks) ? 'done' : undefined;
    });
    if (api === 'done') break;
    await api.stop('SIGKILL');
    kills += await redis.hexists(key, 'pending');
  }
  await until('the ticks to be done with', async () => (await redis.exists(key, `${base}schedules-due`)) === 1);
  const ids = await redis.lrange(`${sandbox.prefix}:{demo}:wait`, 0, -1);
  const times = await Promise.all(ids.map((id) => redis.hget(`${sandbox.prefix}:{demo}:${id}`, 'timestamp')));
  expect(kills).toBeGreaterThan(0);
  expect([times.length, new Set(times).size]).toEqual([ticks, ticks]);
});
