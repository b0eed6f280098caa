import { createHash, randomUUID } from 'node:crypto';
import type { BatchReply, Job, Problem, SubmitReply, TicketReply, TokenReply } from '@spillway/contracts';
import { createTokens, parseKeys, type Rights } from '@spillway/runtime';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYS = ['web:submit+read', 'ops:submit+read+control', 'in:submit', 'stop:control', 'all:admin']
  .map((entry) => `${entry}:${sha256(`sw_${entry.split(':')[0]}`)}`)
  .join(',');
const SECRET = 'a secret that only this test knows';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_KEYS: KEYS, SPILLWAY_TOKEN_SECRET: SECRET } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

function ask<T = Problem>(bearer: string | undefined, method: string, path: string, body?: unknown) {
  return call<T>(spillway.url, method, path, body, bearer ? { authorization: `Bearer ${bearer}` } : {});
}

async function submit(options: object = {}, key = 'sw_web'): Promise<SubmitReply> {
  const job = { type: 'demo.noop', options: { delayMs: 600_000, ...options } };
  return (await ask<SubmitReply>(key, 'POST', '/v1/jobs', job)).body;
}

async function mint(body: object, bearer = 'sw_web'): Promise<TokenReply> {
  const reply = await ask<TokenReply>(bearer, 'POST', '/v1/tokens', body);
  expect(reply.status).toBe(201);
  return reply.body;
}

/** A token as api itself would sign it, but of the test's own making. */
function forge(change: { secret?: string; issuer?: string; ttlMs?: number; agoMs?: number } & Partial<Rights>): string {
  const { secret = SECRET, issuer = spillway.sandbox.prefix, ttlMs = 60_000, agoMs = 0, ...rights } = change;
  const tokens = createTokens({
    issuer,
    keys: parseKeys(KEYS, ['submit', 'read', 'control', 'admin']),
    secrets: () => [secret],
    isRevoked: () => false,
    now: () => Date.now() - agoMs,
  });
  const all = { may: 'watch', jobs: [], batches: [], tags: [], ...rights } as const;
  return tokens.mint({ holder: 'web', rights: all, ttlMs, chainMs: 86_400_000 }).token;
}

/** A problem without what is different for every request. */
function plain({ requestId: _requestId, ...problem }: Problem): Omit<Problem, 'requestId'> {
  return problem;
}

test('the token of a submit reads its job, and that one only, and does nothing else', async () => {
  const [own, other] = [await submit(), await submit()];
  const { token, expiresAt } = own.watch;
  expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(14 * 60_000);
  for (const part of ['', '/log', '/output'])
    expect((await ask(token, 'GET', `/v1/jobs/${own.id}${part}`)).status).toBe(200);
  expect((await ask(token, 'GET', `/v1/jobs/${own.id}/result`)).body.code).toBe('not_finished');
  for (const part of ['', '/log', '/output', '/result'])
    expect((await ask(token, 'GET', `/v1/jobs/${other.id}${part}`)).body.code).toBe('job_not_found');
  expect((await ask(token, 'POST', `/v1/jobs/${own.id}/cancel`)).status).toBe(403);
});

test('a token is refused by every route that does not say that it takes one', async () => {
  const { id, watch } = await submit();
  for (const [method, path, body] of [
    ['POST', '/v1/jobs', { type: 'demo.noop' }],
    ['POST', '/v1/batches', [{ type: 'demo.noop' }]],
    ['GET', '/v1/jobs'],
    ['POST', `/v1/jobs/${id}/retry`],
    ['DELETE', `/v1/jobs/${id}`],
    ['GET', '/v1/queues'],
    ['POST', '/v1/queues/demo/pause'],
    ['GET', '/v1/types'],
    ['GET', '/v1/workers'],
    ['GET', '/metrics'],
  ] as const) {
    const reply = await ask(watch.token, method, path, body);
    expect([path, reply.status, reply.body.code]).toEqual([path, 403, 'forbidden']);
  }
});

test('a job that may not be seen is answered as one that does not exist', async () => {
  const hidden = await submit({ tags: ['hidden'] });
  const missing = `${hidden.id.slice(0, -6)}000000`;
  const tokens = [
    (await submit()).watch.token,
    (await mint({ tags: ['other'] })).token,
    (await mint({ batches: ['none'], may: 'command' }, 'sw_ops')).token,
  ];
  for (const token of tokens) {
    for (const part of ['', '/log', '/output', '/result']) {
      const [forbidden, unknown] = await Promise.all(
        [hidden.id, missing].map((id) => ask(token, 'GET', `/v1/jobs/${id}${part}`)),
      );
      expect(forbidden?.status).toBe(404);
      expect(JSON.stringify(plain(forbidden!.body)).replaceAll(hidden.id, missing)).toBe(
        JSON.stringify(plain(unknown!.body)),
      );
    }
  }
});

test('batches and tags open the jobs that carry them', async () => {
  const { body: batch } = await ask<BatchReply>('sw_web', 'POST', '/v1/batches', [{ type: 'demo.noop' }]);
  const [entry] = batch.jobs;
  const inBatch = entry && 'id' in entry ? entry.id : '';
  const tagged = await submit({ tags: ['order-17', 'x'] });
  const byTag = await mint({ tags: ['order-17'] });
  expect((await ask<Job>(batch.watch.token, 'GET', `/v1/jobs/${inBatch}?wait=20`)).body.state).toBe('completed');
  expect((await ask(batch.watch.token, 'GET', `/v1/jobs/${tagged.id}`)).status).toBe(404);
  expect((await ask(byTag.token, 'GET', `/v1/jobs/${tagged.id}`)).status).toBe(200);
  expect((await ask(byTag.token, 'GET', `/v1/jobs/${inBatch}`)).status).toBe(404);
  for (const part of ['', '/failures', '/results']) {
    expect((await ask(batch.watch.token, 'GET', `/v1/batches/${batch.id}${part}`)).status).toBe(200);
    expect((await ask(byTag.token, 'GET', `/v1/batches/${batch.id}${part}`)).status).toBe(404);
  }
  expect((await ask(batch.watch.token, 'POST', `/v1/batches/${batch.id}/cancel`)).status).toBe(403);
});

test('a token that may command cancels its job, in the name of its key', async () => {
  const [own, other] = [await submit(), await submit()];
  const { token } = await mint({ may: 'command', jobs: [own.id] }, 'sw_ops');
  expect((await ask(token, 'POST', `/v1/jobs/${other.id}/cancel`)).status).toBe(404);
  expect((await ask<{ job: Job }>(token, 'POST', `/v1/jobs/${own.id}/cancel`)).body.job).toMatchObject({
    state: 'cancelled',
    error: { message: 'cancelled by ops' },
  });
});

test.each([
  ['in', 'watch', 403],
  ['web', 'watch', 201],
  ['web', 'command', 403],
  ['stop', 'watch', 403],
  ['stop', 'command', 403],
  ['ops', 'command', 201],
  ['all', 'command', 201],
])('the key %s asks for a token that may %s: %i', async (key, may, status) => {
  expect((await ask(`sw_${key}`, 'POST', '/v1/tokens', { may, jobs: ['demo.x'] })).status).toBe(status);
});

test.each([
  [{}, /1 to 100 names .* got 0/],
  [{ jobs: [], tags: [] }, /got 0/],
  [
    { jobs: Array.from({ length: 60 }, (_, n) => `j${n}`), tags: Array.from({ length: 41 }, (_, n) => `t${n}`) },
    /got 101/,
  ],
  [{ tags: Array.from({ length: 50 }, (_, n) => String(n).padEnd(99, 'ä')) }, /at most 4000 bytes together/],
  [{ may: 'everything', jobs: ['x'] }, /\/may/],
  [{ jobs: ['x'], ttlMs: 9_999 }, /\/ttlMs/],
  [{ jobs: ['x'], ttlMs: 3_600_001 }, /\/ttlMs/],
  [{ jobs: ['x'], ttlMs: '60000' }, /\/ttlMs/],
  [{ jobs: ['x', 'x'] }, /\/jobs/],
  [{ queues: ['x'] }, /queues/],
])('the request %j for a token is refused with what was expected', async (body, message) => {
  expect(await ask('sw_web', 'POST', '/v1/tokens', body)).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', detail: expect.stringMatching(message) },
  });
});

test('a refresh gives the same rights under the same id, for as long as is asked, and no others', async () => {
  const { id: job, watch } = await submit();
  const refreshed = await mint({ ttlMs: 10_000 }, watch.token);
  expect(refreshed.id).toBe(watch.id);
  expect(Date.parse(refreshed.expiresAt)).toBeLessThan(Date.parse(watch.expiresAt));
  expect((await ask(refreshed.token, 'GET', `/v1/jobs/${job}`)).status).toBe(200);
  const wider = await ask(watch.token, 'POST', '/v1/tokens', { jobs: ['demo.x'] });
  expect(wider).toMatchObject({ status: 400, body: { detail: expect.stringContaining('got jobs') } });
});

test('the largest token passes through the headers of a request', async () => {
  const jobs = Array.from({ length: 100 }, (_, n) => `demo.${String(n).padStart(35, '0')}`);
  const { token } = await mint({ jobs });
  expect(token.length).toBeLessThan(7_500);
  expect((await ask(token, 'GET', `/v1/jobs/${jobs[99]}`)).body.code).toBe('job_not_found');
});

describe('a token is refused', () => {
  test.each([
    ['signed with another secret', 'unauthorized', () => forge({ tags: ['any'], secret: 'x'.repeat(40) })],
    ['of another stack', 'unauthorized', () => forge({ tags: ['any'], issuer: 'other' })],
    ['with the algorithm none', 'unauthorized', () => withoutSignature(forge({ tags: ['any'] }))],
    ['that is none', 'unauthorized', () => 'a.b.c'],
    ['that has expired', 'token_expired', () => forge({ tags: ['any'], agoMs: 60_000, ttlMs: 59_000 })],
  ])('%s: %s', async (_how, code, make) => {
    const { id } = await submit({ tags: ['any'] });
    expect((await ask(forge({ tags: ['any'] }), 'GET', `/v1/jobs/${id}`)).status).toBe(200);
    for (const [method, path] of [
      ['GET', `/v1/jobs/${id}`],
      ['GET', '/v1/jobs'],
      ['POST', '/v1/tokens'],
      ['DELETE', `/v1/tokens/${randomUUID()}`],
    ] as const) {
      const reply = await ask(make(), method, path, method === 'POST' ? {} : undefined);
      expect([path, reply.status, reply.body.code]).toEqual([path, 401, code]);
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  function withoutSignature(token: string): string {
    const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    return `${header}.${token.split('.')[1]}.`;
  }
});

describe('a revocation', () => {
  test('ends the token and what it was refreshed to, and nothing else', async () => {
    const { id, watch } = await submit({ tags: ['kept'] });
    const [refreshed, kept] = [await mint({}, watch.token), await mint({ tags: ['kept'] })];
    expect((await ask('sw_ops', 'DELETE', `/v1/tokens/${watch.id}`)).status).toBe(204);
    for (const token of [watch.token, refreshed.token]) {
      expect(await ask(token, 'GET', `/v1/jobs/${id}`)).toMatchObject({ status: 401, body: { code: 'token_revoked' } });
      expect((await ask(token, 'POST', '/v1/tokens', {})).body.code).toBe('token_revoked');
    }
    expect((await ask(kept.token, 'GET', `/v1/jobs/${id}`)).status).toBe(200);
  });

  test('is for keys with the scope control, and for the token itself', async () => {
    const [mine, other] = [(await submit()).watch, (await submit()).watch];
    expect((await ask('sw_web', 'DELETE', `/v1/tokens/${mine.id}`)).status).toBe(403);
    expect((await ask(other.token, 'DELETE', `/v1/tokens/${mine.id}`)).status).toBe(403);
    for (const _repeat of [1, 2]) expect((await ask(mine.token, 'DELETE', `/v1/tokens/${mine.id}`)).status).toBe(204);
    expect((await ask('sw_ops', 'DELETE', `/v1/tokens/${mine.id}`)).status).toBe(204);
    expect((await ask(mine.token, 'DELETE', `/v1/tokens/${other.id}`)).status).toBe(403);
    expect((await ask(other.token, 'POST', '/v1/tokens', {})).status).toBe(201);
  });

  test('of something that is no id is refused', async () => {
    expect((await ask('sw_ops', 'DELETE', '/v1/tokens/everything')).body.code).toBe('invalid_request');
  });

  test('holds in another api within seconds, and in one that starts later', async () => {
    const { id, watch } = await submit();
    await using other = await startService('api', { ...spillway.env });
    const there = () => call(other.url, 'GET', `/v1/jobs/${id}`, undefined, { authorization: `Bearer ${watch.token}` });
    expect((await there()).status).toBe(200);
    await ask('sw_ops', 'DELETE', `/v1/tokens/${watch.id}`);
    await until('the other api to know', async () => (await there()).status === 401);
    await using later = await startService('api', { ...spillway.env });
    const headers = { authorization: `Bearer ${watch.token}` };
    expect((await call(later.url, 'GET', `/v1/jobs/${id}`, undefined, headers)).status).toBe(401);
  });
});

test('a ticket is for those who may see the job, and an unknown job is answered like a hidden one', async () => {
  const [own, other] = [await submit(), await submit()];
  for (const bearer of ['sw_web', own.watch.token]) {
    const { status, body } = await ask<TicketReply>(bearer, 'POST', '/v1/tickets', { job: own.id });
    expect(status).toBe(201);
    expect(body.ticket).toMatch(/^[\w-]{43}$/);
  }
  const hidden = await ask(own.watch.token, 'POST', '/v1/tickets', { job: other.id });
  const unknown = await ask(own.watch.token, 'POST', '/v1/tickets', { job: 'nope' });
  expect(hidden.status).toBe(404);
  expect(JSON.stringify(plain(hidden.body)).replace(other.id, 'nope')).toBe(JSON.stringify(plain(unknown.body)));
  expect((await ask('sw_in', 'POST', '/v1/tickets', { job: own.id })).status).toBe(403);
  expect((await ask(undefined, 'POST', '/v1/tickets', { job: own.id })).status).toBe(401);
});

test('secrets are changed without a pause: the old ones verify for as long as they are listed', async () => {
  const { id, watch } = await submit();
  const headers = { authorization: `Bearer ${watch.token}` };
  const next = 'n'.repeat(32);
  await using both = await startService('api', { ...spillway.env, SPILLWAY_TOKEN_SECRET: `${next},${SECRET}` });
  expect((await call(both.url, 'GET', `/v1/jobs/${id}`, undefined, headers)).status).toBe(200);
  const { body: fresh } = await call<TokenReply>(both.url, 'POST', '/v1/tokens', {}, headers);
  await using moved = await startService('api', { ...spillway.env, SPILLWAY_TOKEN_SECRET: next });
  expect((await call(moved.url, 'GET', `/v1/jobs/${id}`, undefined, headers)).status).toBe(401);
  const newer = { authorization: `Bearer ${fresh.token}` };
  expect((await call(moved.url, 'GET', `/v1/jobs/${id}`, undefined, newer)).status).toBe(200);
});

test('the tokens of a key that is taken away are worth nothing', async () => {
  const { id, watch } = await submit();
  const without = KEYS.split(',').filter((entry) => !entry.startsWith('web:'));
  await using changed = await startService('api', { ...spillway.env, SPILLWAY_KEYS: without.join(',') });
  const headers = { authorization: `Bearer ${watch.token}` };
  expect((await call(changed.url, 'GET', `/v1/jobs/${id}`, undefined, headers)).status).toBe(401);
});

test('without keys and settings tokens are made and held to what they say, and nobody needs one', async () => {
  await using open = await startSpillway();
  const job = { type: 'demo.noop', options: { delayMs: 600_000 } };
  const [own, other] = [
    (await call<SubmitReply>(open.url, 'POST', '/v1/jobs', job)).body,
    (await call<SubmitReply>(open.url, 'POST', '/v1/jobs', job)).body,
  ];
  const headers = { authorization: `Bearer ${own.watch.token}` };
  expect((await call(open.url, 'GET', `/v1/jobs/${other.id}`)).status).toBe(200);
  expect((await call(open.url, 'GET', `/v1/jobs/${own.id}`, undefined, headers)).status).toBe(200);
  expect((await call(open.url, 'GET', `/v1/jobs/${other.id}`, undefined, headers)).status).toBe(404);
  const forged = { authorization: `Bearer ${own.watch.token.slice(0, -3)}` };
  expect((await call(open.url, 'GET', `/v1/jobs/${own.id}`, undefined, forged)).status).toBe(401);
});

test('the log never shows a token, a ticket or the secret', async () => {
  await using noisy = await startService('api', { ...spillway.env, SPILLWAY_LOG_LEVEL: 'trace' });
  const as = (bearer: string, method: string, path: string, body?: unknown) =>
    call<TicketReply & SubmitReply>(noisy.url, method, path, body, { authorization: `Bearer ${bearer}` });
  const { body: job } = await as('sw_web', 'POST', '/v1/jobs', { type: 'demo.noop' });
  const { body: ticket } = await as(job.watch.token, 'POST', '/v1/tickets', { job: job.id });
  await as(job.watch.token, 'GET', `/v1/nothing?token=${job.watch.token}&ticket=${ticket.ticket}`);
  await as(`${job.watch.token}x`, 'GET', `/v1/jobs/${job.id}`);
  await as(job.watch.token, 'DELETE', `/v1/tokens/${job.watch.id}`);
  await noisy.stop();
  expect(noisy.output()).toContain('stopped');
  for (const secret of [job.watch.token, ticket.ticket, SECRET]) expect(noisy.output()).not.toContain(secret);
});
