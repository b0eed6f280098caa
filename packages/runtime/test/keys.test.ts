import { createHash } from 'node:crypto';
import { bearerOf, ConfigError, mayUse, OPEN_CALLER, parseKeys } from '@spillway/runtime';

const SCOPES = ['submit', 'read', 'admin'];

function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

const TWO = `web:submit+read:${sha256('web-key')}, ops:admin:${sha256('ops-key')}`;

test('without keys everybody is the open caller, who may do everything', () => {
  const keys = parseKeys('', SCOPES);
  expect(keys.required).toBe(false);
  expect([keys.has('open'), keys.has('web')]).toEqual([true, false]);
  expect(keys.verify(undefined)).toBe(OPEN_CALLER);
  expect(keys.verify('anything')).toBe(OPEN_CALLER);
  expect(mayUse(OPEN_CALLER, 'submit')).toBe(true);
});

test('a known key tells who calls, and with which scopes', () => {
  const keys = parseKeys(TWO, SCOPES);
  expect(keys.required).toBe(true);
  expect([keys.has('web'), keys.has('open')]).toEqual([true, false]);
  expect(keys.verify('web-key')).toEqual({ name: 'web', scopes: new Set(['submit', 'read']) });
  expect(keys.verify('ops-key')).toEqual({ name: 'ops', scopes: new Set(['admin']) });
});

test.each([undefined, '', 'web-key ', 'WEB-KEY', sha256('web-key'), 'web'])('%j is no key', (presented) => {
  expect(parseKeys(TWO, SCOPES).verify(presented)).toBeUndefined();
});

test.each([
  ['commas', TWO],
  ['lines, as in a file', TWO.replace(', ', '\n')],
  ['commas at the ends', `,${TWO},`],
  ['upper-case hex', TWO.replaceAll(/[0-9a-f]{64}/g, (hash) => hash.toUpperCase())],
])('entries may be written with %s', (_how, text) => {
  expect(parseKeys(text, SCOPES).verify('ops-key')?.name).toBe('ops');
});

test('one name may have two keys, so that keys can be changed without a pause', () => {
  const keys = parseKeys(`web:read:${sha256('old')},web:read:${sha256('new')}`, SCOPES);
  expect([keys.verify('old')?.name, keys.verify('new')?.name]).toEqual(['web', 'web']);
});

test.each([
  ['no hash', 'web:read'],
  ['the key itself', 'web:read:spw_secret'],
  ['a short hash', `web:read:${sha256('x').slice(1)}`],
  ['no name', `:read:${sha256('x')}`],
  ['a name with a space in it', `my web:read:${sha256('x')}`],
  ['no scope', `web::${sha256('x')}`],
  ['a scope that does not exist', `web:read+write:${sha256('x')}`],
  ['two scopes joined by a comma', `web:read,submit:${sha256('x')}`],
])('an entry with %s is refused, and its text is not repeated', (_what, entry) => {
  expect(() => parseKeys(entry, SCOPES)).toThrow(ConfigError);
  expect(() => parseKeys(entry, SCOPES)).toThrow(
    /SPILLWAY_KEYS: expected entry 1 to be <name>:<scopes joined by \+>:<sha256 of the key in hex> with scopes out of submit, read, admin/,
  );
  expect(() => parseKeys(entry, SCOPES)).not.toThrow(/spw_secret|[0-9a-f]{20}/);
});

test('all wrong entries are named by their position', () => {
  expect(() => parseKeys(`bad,ok:read:${sha256('x')},worse`, SCOPES)).toThrow(/entry 1 to be .*\n.*entry 3 to be /);
});

test.each([',', ' , ,\n'])('text without an entry (%j) is refused, rather than taken as no keys', (text) => {
  expect(() => parseKeys(text, SCOPES)).toThrow('SPILLWAY_KEYS: expected at least one entry, got none');
});

test.each([
  [['read'], 'read', true],
  [['read'], 'submit', false],
  [['submit', 'read'], 'submit', true],
  [['admin'], 'submit', true],
  [['admin'], 'admin', true],
  [['submit', 'read'], 'admin', false],
  [[], 'read', false],
])('a key with the scopes %j may use %s: %s', (scopes, scope, expected) => {
  expect(mayUse({ name: 'web', scopes: new Set(scopes) }, scope)).toBe(expected);
});

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER  abc', 'abc'],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearer a b', undefined],
  ['Basic abc', undefined],
  ['abc', undefined],
  ['', undefined],
  [undefined, undefined],
])('the key in the header %j is %j', (header, expected) => {
  expect(bearerOf(header)).toBe(expected);
});
