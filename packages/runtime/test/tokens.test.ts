import { createHash, createHmac } from 'node:crypto';
import { covers, createTokens, parseKeys, type Rights } from '@spillway/runtime';

const SCOPES = ['read', 'control', 'admin'];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYED = parseKeys(`web:read:${sha256('web-key')},jwt:read:${sha256('a.b.c')}`, SCOPES);
const OPEN = parseKeys('', SCOPES);
const SECRET = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const HOUR = 3_600_000;

const RIGHTS: Rights = { may: 'watch', jobs: ['demo.1'], batches: ['b1'], tags: ['order-17'] };

/** Tokens on a clock of the test's own, which starts at a whole second. */
function openTokens({ keys = KEYED, secrets = [SECRET] as readonly string[], issuer = 'spillway' } = {}) {
  const clock = { now: 1_800_000_000_000 };
  const revoked = new Set<string>();
  let current = secrets;
  const tokens = createTokens({
    issuer,
    keys,
    secrets: () => current,
    isRevoked: (id) => revoked.has(id),
    now: () => clock.now,
  });
  const mint = (ttlMs = 60_000) => tokens.mint({ holder: 'web', rights: RIGHTS, ttlMs, chainMs: 24 * HOUR });
  const rotate = (next: readonly string[]) => {
    current = next;
  };
  return { tokens, clock, revoked, mint, rotate };
}

function identified(presented: ReturnType<ReturnType<typeof openTokens>['tokens']['identify']>) {
  if (presented.kind !== 'token') throw new Error(`expected a token, got ${JSON.stringify(presented)}`);
  return presented.token;
}

function signed(header: object, payload: object, secret = SECRET, hash = 'sha256'): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

function payloadOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

test('a token says who made it, what it permits and until when', () => {
  const { tokens, clock, mint } = openTokens();
  const { token, id, expiresAt } = mint(60_000);
  expect(identified(tokens.identify(token))).toEqual({
    id,
    holder: 'web',
    rights: RIGHTS,
    expiresAt: clock.now + 60_000,
    until: clock.now + 24 * HOUR,
  });
  expect(expiresAt).toBe(new Date(clock.now + 60_000).toISOString());
});

test('a token is good until the very millisecond of its expiry', () => {
  const { tokens, clock, mint } = openTokens();
  const { token } = mint(10_000);
  clock.now += 9_999;
  expect(tokens.identify(token).kind).toBe('token');
  clock.now += 1;
  expect(tokens.identify(token)).toEqual({ kind: 'refused', why: 'expired' });
});

test('a refresh keeps id and rights, and no chain of refreshes outlives its day', () => {
  const { tokens, clock, mint } = openTokens();
  const first = mint(HOUR);
  const end = clock.now + 24 * HOUR;
  let text = first.token;
  while (clock.now < end - HOUR / 2) {
    const refreshed = tokens.refresh(identified(tokens.identify(text)), HOUR);
    expect(refreshed.id).toBe(first.id);
    text = refreshed.token;
    clock.now += HOUR / 2;
  }
  const last = tokens.refresh(identified(tokens.identify(text)), HOUR);
  expect(Date.parse(last.expiresAt)).toBe(end);
  expect(identified(tokens.identify(last.token)).rights).toEqual(RIGHTS);
  clock.now = end;
  expect(tokens.identify(last.token)).toEqual({ kind: 'refused', why: 'expired' });
});

test('a revocation ends the token and what it was refreshed to', () => {
  const { tokens, revoked, mint } = openTokens();
  const { token, id } = mint();
  const verified = identified(tokens.identify(token));
  const refreshed = tokens.refresh(verified, 60_000);
  const unrelated = mint();
  revoked.add(id);
  expect(tokens.identify(token)).toMatchObject({ kind: 'refused', why: 'revoked' });
  expect(tokens.identify(refreshed.token)).toMatchObject({ kind: 'refused', why: 'revoked' });
  expect(tokens.ended(verified)).toBe('revoked');
  expect(tokens.identify(unrelated.token).kind).toBe('token');
});

describe('a token is worth nothing', () => {
  const { tokens, mint } = openTokens();
  const good = mint().token;
  const [header = '', payload = '', signature = ''] = good.split('.');
  const claims = payloadOf(good);
  const jwt = { alg: 'HS256', typ: 'JWT' };
  const wider = Buffer.from(JSON.stringify({ ...claims, may: 'command' })).toString('base64url');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');

  test('except the real one, which this test can make as well', () => {
    expect(signed(jwt, claims)).toBe(good);
    expect(tokens.identify(signed(jwt, claims)).kind).toBe('token');
  });

  test.each([
    ['with another payload', `${header}.${wider}.${signature}`],
    ['with another secret', signed(jwt, claims, OTHER)],
    ['without a signature', `${header}.${payload}.`],
    ['with the algorithm none', `${none}.${payload}.`],
    ['with the algorithm none and a signature', `${none}.${payload}.${signature}`],
    ['with an algorithm that is not ours', signed({ alg: 'HS512', typ: 'JWT' }, claims, SECRET, 'sha512')],
    ['of another stack', openTokens({ issuer: 'other' }).mint().token],
    ['of a key that is gone', signed(jwt, { ...claims, sub: 'gone' })],
    ['without an expiry', signed(jwt, { ...claims, exp: undefined })],
    ['cut short', good.slice(0, -1)],
    ['that is none', 'a.b.d'],
  ])('%s', (_how, text) => {
    expect(tokens.identify(text)).toEqual({ kind: 'refused', why: 'unknown' });
  });
});

test('the first secret signs and all verify, so that secrets can be changed without a pause', () => {
  const { tokens, mint, rotate } = openTokens({ secrets: [SECRET] });
  const old = mint().token;
  rotate([OTHER, SECRET]);
  const fresh = mint().token;
  expect([tokens.identify(old).kind, tokens.identify(fresh).kind]).toEqual(['token', 'token']);
  rotate([OTHER]);
  expect([tokens.identify(old).kind, tokens.identify(fresh).kind]).toEqual(['refused', 'token']);
});

test('while the secrets are not known nothing is made and nothing is taken', () => {
  const tokens = createTokens({
    issuer: 'spillway',
    keys: KEYED,
    secrets: () => {
      throw new Error('not yet');
    },
    isRevoked: () => false,
  });
  expect(() => tokens.assertReady()).toThrow('not yet');
  expect(() => tokens.identify(openTokens().mint().token)).toThrow('not yet');
  expect(tokens.identify('web-key').kind).toBe('key');
});

test('keys are told from tokens, also where a key looks like one', () => {
  const { tokens } = openTokens();
  expect(tokens.identify('web-key')).toMatchObject({ kind: 'key', caller: { name: 'web' } });
  expect(tokens.identify('a.b.c')).toMatchObject({ kind: 'key', caller: { name: 'jwt' } });
  expect(tokens.identify('nope')).toEqual({ kind: 'refused', why: 'unknown' });
  expect(tokens.identify(undefined)).toEqual({ kind: 'refused', why: 'none' });
});

test('without keys nobody needs a token, and whoever shows one is held to it', () => {
  const { tokens, clock } = openTokens({ keys: OPEN });
  expect(tokens.identify(undefined)).toMatchObject({ kind: 'key', caller: { name: 'open' } });
  expect(tokens.identify('anything')).toMatchObject({ kind: 'key', caller: { name: 'open' } });
  const { token } = tokens.mint({ holder: 'open', rights: RIGHTS, ttlMs: 10_000, chainMs: HOUR });
  expect(identified(tokens.identify(token)).rights).toEqual(RIGHTS);
  clock.now += 10_000;
  expect(tokens.identify(token)).toEqual({ kind: 'refused', why: 'expired' });
});

test.each([
  [{ id: 'demo.1' }, true],
  [{ id: 'demo.2' }, false],
  [{ id: 'demo.2', batch: 'b1' }, true],
  [{ id: 'demo.2', batch: 'b2' }, false],
  [{ id: 'demo.2', tags: ['x', 'order-17'] }, true],
  [{ id: 'demo.2', tags: ['order-1'] }, false],
  [{ id: 'demo.2', batch: 'demo.1', tags: ['b1'] }, false],
])('rights extend to %j: %s', (job, expected) => {
  expect(covers(RIGHTS, job)).toBe(expected);
});
