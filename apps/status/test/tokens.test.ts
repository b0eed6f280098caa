import { createHash } from 'node:crypto';
import {
  type JobError,
  type RefreshReply,
  type SubmitReply,
  TOKEN_CHAIN_MS,
  type TokenReply,
  type WatchReply,
  type WatchTarget,
} from '@spillway/contracts';
import { openTokenRecords } from '@spillway/queue/tokens';
import { createTokens, parseKeys, type Rights } from '@spillway/runtime';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { accessOfTicket } from '../src/token-tickets.ts';
import { connect, type Watcher } from './watcher.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const SCOPES = ['submit', 'read', 'control', 'admin'];
const KEYS = `web:submit+read:${sha256('sw_web')},ops:admin:${sha256('sw_ops')}`;
const SECRET = 'a secret that only this test knows';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_KEYS: KEYS, SPILLWAY_TOKEN_SECRET: SECRET } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

function ask<T>(bearer: string, method: string, path: string, body?: unknown) {
  return call<T>(spillway.url, method, path, body, { authorization: `Bearer ${bearer}` });
}

async function submit(options: object = {}): Promise<SubmitReply> {
  const job = { type: 'demo.noop', options: { delayMs: 600_000, ...options } };
  return (await ask<SubmitReply>('sw_web', 'POST', '/v1/jobs', job)).body;
}

const cancel = (id: string) => ask('sw_ops', 'POST', `/v1/jobs/${id}/cancel`);

const mint = async (body: object, key = 'sw_web') => (await ask<TokenReply>(key, 'POST', '/v1/tokens', body)).body;

/** The stack's own tokens, in the hands of the test: they may live for less than what api hands out. */
function openTokens(secret = SECRET, agoMs = 0) {
  return createTokens({
    issuer: spillway.sandbox.prefix,
    keys: parseKeys(KEYS, SCOPES),
    secrets: () => [secret],
    isRevoked: () => false,
    now: () => Date.now() - agoMs,
  });
}

function shortLived(rights: Partial<Rights>, ttlMs = 3000, holder = 'web'): string {
  const all = { may: 'watch', jobs: [], batches: [], tags: [], ...rights } as const;
  return openTokens().mint({ holder, rights: all, ttlMs, chainMs: TOKEN_CHAIN_MS }).token;
}

/** A connection that keeps what it is denied. */
async function open(token: string, url = spillway.status.url) {
  const watcher = await connect(url, { token });
  const denied: { targets: WatchTarget[]; error: JobError }[] = [];
  watcher.socket.on('denied', (notice) => denied.push(notice));
  const refresh = (next: unknown): Promise<RefreshReply> =>
    (watcher.socket as { emitWithAck(event: string, request: unknown): Promise<RefreshReply> }).emitWithAck(
      'refresh',
      next,
    );
  return Object.assign(watcher, { denied, refresh });
}

function errorOf(reply: WatchReply, index = 0): JobError | undefined {
  if (!('results' in reply)) return reply.error;
  const result = reply.results[index];
  return result && 'error' in result ? result.error : undefined;
}

async function hearsEndOf(watcher: Watcher, id: string): Promise<boolean> {
  await cancel(id);
  return until('the cancellation', () => watcher.events.some(({ job, kind }) => job === id && kind === 'state'));
}

test.each(['status itself', 'the address of api'])(
  'the token of a submit watches its job, and no other, through %s',
  async (way) => {
    const [own, other] = [await submit(), await submit()];
    await using watcher = await open(own.watch.token, way === 'status itself' ? spillway.status.url : spillway.url);
    const reply = await watcher.watch(own.id, other.id, 'nope');
    expect(reply).toMatchObject({ results: [{ job: own.id, snapshot: {} }, { job: other.id }, { job: 'nope' }] });
    expect(JSON.stringify(errorOf(reply, 1))).toBe(JSON.stringify(errorOf(reply, 2)).replace('nope', other.id));
    expect(errorOf(reply, 1)?.code).toBe('job_not_found');
    await cancel(other.id);
    await hearsEndOf(watcher, own.id);
    expect(watcher.events.map(({ job }) => job)).toEqual([own.id]);
  },
);

test('a token by tag watches what carries it, and hears nothing of what does not, not even while it asks', async () => {
  const tag = `order-${Date.now()}`;
  const [tagged, other] = [await submit({ tags: [tag] }), await submit({ tags: ['other'] })];
  const { token } = await mint({ tags: [tag] });
  await using watcher = await open(token);
  expect(await watcher.watch(tagged.id)).toMatchObject({ results: [{ snapshot: {} }] });
  const [reply] = await Promise.all([watcher.watch(other.id), cancel(other.id), watcher.watch(other.id)]);
  expect(errorOf(reply)?.code).toBe('job_not_found');
  await hearsEndOf(watcher, tagged.id);
  expect(watcher.events.map(({ job }) => job)).toEqual([tagged.id]);
});

describe('a connection is refused', () => {
  const NAMES = { jobs: ['demo.x'] };
  const grant = { holder: 'web', rights: { may: 'watch', batches: [], tags: [], ...NAMES }, ttlMs: 60_000 } as const;
  const chained = { ...grant, chainMs: TOKEN_CHAIN_MS };
  const forger = 'x'.repeat(40);
  test.each([
    ['with a token of another secret', 'unauthorized', () => openTokens(forger).mint(chained).token],
    ['with a token that is cut short', 'unauthorized', () => openTokens().mint(chained).token.slice(0, -2)],
    ['with a token that has expired', 'token_expired', () => openTokens(SECRET, 61_000).mint(chained).token],
    [
      'with a token without a signature',
      'unauthorized',
      () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${openTokens().mint(chained).token.split('.')[1]}.`,
    ],
  ])('%s', async (_how, code, make) => {
    await expect(open(make())).rejects.toMatchObject({ data: { code, status: 401 } });
  });

  test('with a token that was revoked', async () => {
    const { id, token } = await mint(NAMES);
    await ask('sw_ops', 'DELETE', `/v1/tokens/${id}`);
    await until('status to know', () =>
      open(token).then(
        (watcher) => watcher[Symbol.asyncDispose]().then(() => false),
        (error) => error.data?.code === 'token_revoked',
      ),
    );
  });
});

test('what is watched goes on past the expiry of a token that was refreshed in place', async () => {
  const { id } = await submit();
  const token = shortLived({ jobs: [id] });
  await using watcher = await open(token);
  await watcher.watch(id);
  const { body: next } = await ask<TokenReply>(token, 'POST', '/v1/tokens', {});
  expect(await watcher.refresh({ token: next.token })).toEqual({ expiresAt: next.expiresAt });
  await until('the first token to have expired', async () => {
    const { status } = await ask(token, 'GET', `/v1/jobs/${id}`);
    return status === 401;
  });
  expect(await watcher.watch(id)).toMatchObject({ results: [{ snapshot: {} }] });
  // A second connection without a refresh shows that watches were reviewed after that expiry.
  await using control = await open(shortLived({ jobs: [id] }, 2000));
  await control.watch(id);
  await until('the other to be denied', () => control.denied.length > 0);
  await hearsEndOf(watcher, id);
  expect(watcher.denied).toEqual([]);
});

test('an expired token ends what is watched and nothing else: refreshed, the connection watches again', async () => {
  const [one, two] = [await submit(), await submit()];
  await using watcher = await open(shortLived({ jobs: [one.id, two.id] }));
  await watcher.watch(one.id, two.id);
  await until('the denial', () => watcher.denied.length > 0);
  expect(watcher.denied).toEqual([
    {
      targets: [{ job: one.id }, { job: two.id }],
      error: { code: 'token_expired', message: expect.stringContaining('POST /v1/tokens') },
    },
  ]);
  expect(watcher.socket.connected).toBe(true);
  expect(errorOf(await watcher.watch(one.id))?.code).toBe('token_expired');
  await cancel(two.id);
  expect(await watcher.refresh({ token: shortLived({ jobs: [one.id] }, 60_000) })).toHaveProperty('expiresAt');
  expect(await watcher.watch(one.id)).toMatchObject({ results: [{ snapshot: {} }] });
  await hearsEndOf(watcher, one.id);
  expect(watcher.events.map(({ job }) => job)).toEqual([one.id]);
  expect(watcher.denied).toHaveLength(1);
});

test('a revocation ends watches that run, and disturbs no other', async () => {
  const { id } = await submit();
  const [revoked, kept] = [await mint({ jobs: [id] }), await mint({ jobs: [id] })];
  await using loser = await open(revoked.token);
  await using keeper = await open(kept.token);
  await Promise.all([loser.watch(id), keeper.watch(id)]);
  await ask('sw_ops', 'DELETE', `/v1/tokens/${revoked.id}`);
  await until('the denial', () => loser.denied.length > 0);
  expect(loser.denied).toMatchObject([{ targets: [{ job: id }], error: { code: 'token_revoked' } }]);
  await hearsEndOf(keeper, id);
  expect([keeper.denied, loser.events]).toEqual([[], []]);
});

test('another token in its place keeps what it names and ends the rest', async () => {
  const [named, byTag, left] = [await submit(), await submit({ tags: ['keep'] }), await submit()];
  await using watcher = await open(shortLived({ jobs: [named.id, byTag.id, left.id] }, 60_000));
  await watcher.watch(named.id, byTag.id, left.id);
  await watcher.refresh({ token: shortLived({ jobs: [named.id], tags: ['keep'] }, 60_000) });
  expect(watcher.denied).toMatchObject([{ targets: [{ job: left.id }], error: { code: 'forbidden' } }]);
  await cancel(left.id);
  await hearsEndOf(watcher, named.id);
  await hearsEndOf(watcher, byTag.id);
  expect(watcher.events.map(({ job }) => job)).toEqual([named.id, byTag.id]);
});

describe('a refresh', () => {
  test.each([
    [null, 'invalid_request'],
    [{}, 'invalid_request'],
    [{ token: 7 }, 'invalid_request'],
    [{ token: 'a.b.c' }, 'unauthorized'],
    [{ token: 'sw_web' }, 'invalid_request'],
  ])('with %j is refused, and changes nothing', async (request, code) => {
    const { id, watch } = await submit();
    await using watcher = await open(watch.token);
    expect(await watcher.refresh(request)).toMatchObject({ error: { code } });
    expect(await watcher.watch(id)).toMatchObject({ results: [{ snapshot: {} }] });
  });

  test('with a token of somebody else is refused', async () => {
    const { id, watch } = await submit();
    await using watcher = await open(watch.token);
    const { token } = await mint({ jobs: [id] }, 'sw_ops');
    expect(await watcher.refresh({ token })).toMatchObject({ error: { code: 'forbidden' } });
  });

  test('of a connection with a key is refused, because keys do not end', async () => {
    await using watcher = await open('sw_web');
    expect(await watcher.refresh({ token: shortLived({ jobs: ['demo.x'] }, 60_000) })).toMatchObject({
      error: { code: 'invalid_request' },
    });
  });
});

test('without settings api and status agree on a secret by themselves', async () => {
  await using plain = await startSpillway();
  const job = { type: 'demo.noop', options: { delayMs: 600_000 } };
  const { body } = await call<SubmitReply>(plain.url, 'POST', '/v1/jobs', job);
  await using watcher = await open(body.watch.token, plain.status.url);
  expect(await watcher.watch(body.id)).toMatchObject({ results: [{ snapshot: {} }] });
  await expect(open(body.watch.token)).rejects.toMatchObject({ data: { code: 'unauthorized' } });
});

test('a ticket opens the one job that it was made for, as long as the token behind it is good', async () => {
  const { sandbox } = spillway;
  const redis = await sandbox.connect();
  const tokenRecords = openTokenRecords({ redis, prefix: sandbox.prefix, secrets: [SECRET], onError: () => undefined });
  await tokenRecords.looked;
  const tokens = createTokens({
    issuer: sandbox.prefix,
    keys: parseKeys(KEYS, SCOPES),
    secrets: tokenRecords.secrets,
    isRevoked: tokenRecords.isRevoked,
  });
  const redeem = (ticket: string) => accessOfTicket(ticket, { tokens, tokenRecords });
  const { id, watch } = await submit();
  const ticketFor = async (bearer: string) =>
    (await ask<{ ticket: string }>(bearer, 'POST', '/v1/tickets', { job: id })).body.ticket;

  const byToken = await ticketFor(watch.token);
  const access = await redeem(byToken);
  expect([access.maySee({ id }), access.maySee({ id: 'other' }), access.mayCommand({ id })]).toEqual([
    true,
    false,
    false,
  ]);
  expect(access).toMatchObject({ caller: 'web', expiresAt: Date.parse(watch.expiresAt), tokenId: watch.id });
  await expect(redeem(byToken)).rejects.toMatchObject({ code: 'unauthorized' });

  const [unused, byKey] = [await ticketFor(watch.token), await ticketFor('sw_web')];
  await tokenRecords.revoke(watch.id);
  expect(access.ended()).toMatchObject({ code: 'token_revoked' });
  await expect(redeem(unused)).rejects.toMatchObject({ code: 'token_revoked' });
  const ofKey = await redeem(byKey);
  expect([ofKey.maySee({ id }), ofKey.expiresAt, ofKey.ended()]).toEqual([true, undefined, undefined]);
  tokenRecords.close();
});

test('the log never shows a token or the secret', async () => {
  await using noisy = await startService('status', { ...spillway.env, SPILLWAY_LOG_LEVEL: 'trace' });
  const { id, watch } = await submit();
  await using watcher = await open(watch.token, noisy.url);
  await watcher.watch(id);
  await watcher.refresh({ token: watch.token });
  await watcher.refresh({ token: `${watch.token}x` });
  await expect(open(`${watch.token}x`, noisy.url)).rejects.toThrow();
  await noisy.stop();
  expect(noisy.output()).toContain('stopped');
  for (const secret of [watch.token, SECRET]) expect(noisy.output()).not.toContain(secret);
});
