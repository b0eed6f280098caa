import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { SCOPES as CONTRACT_SCOPES } from '@spillway/contracts';
import { parseKeys } from '@spillway/runtime';
import { SCOPES } from '../key/make-key.mjs';

/** `npm run key -- <args>`. */
function runKey(...args: string[]) {
  const script = path.resolve(import.meta.dirname, '../key.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  const [key = ''] = /^ {2}spw_\S+$/m.exec(stdout) ?? [];
  const [entry = ''] = /^ {2}\S+:\S+:\S+$/m.exec(stdout) ?? [];
  return { status, stdout, stderr, key: key.trim(), entry: entry.trim() };
}

test('a key is admitted by the entry that is printed with it, under its name and with its scopes', () => {
  const { status, key, entry } = runKey('--name', 'web', '--scopes', 'submit,read');
  expect(status).toBe(0);
  expect(parseKeys(entry, CONTRACT_SCOPES).verify(key)).toEqual({ name: 'web', scopes: new Set(['submit', 'read']) });
});

test('every key is another one, and its entry does not give it away', () => {
  const [one, other] = [runKey(), runKey()];
  expect(one.key).toMatch(/^spw_[\w-]{43}$/);
  expect(one.key).not.toBe(other.key);
  expect(one.entry).not.toContain(one.key.slice('spw_'.length));
});

test.each([
  [[], 'default:submit+read:'],
  [['--name', 'ops', '--scopes', 'admin'], 'ops:admin:'],
  [['--scopes', 'read+control'], 'default:read+control:'],
  [['--scopes', 'read, read ,submit'], 'default:read+submit:'],
])('%j gives the entry %s…', (args, entry) => {
  expect(runKey(...args).entry.startsWith(entry)).toBe(true);
});

test('the scopes are those of the contract', () => {
  expect(SCOPES).toEqual(CONTRACT_SCOPES);
});

test.each([
  [['--bogus'], "Unknown option '--bogus'"],
  [['web'], "Unexpected argument 'web'"],
  [['--name'], 'argument missing'],
  [['--name', 'my web'], '--name: expected 1 to 64 letters, digits, _ and -, got "my web".'],
  [['--name', 'a:b'], '--name: expected 1 to 64 letters, digits, _ and -, got "a:b".'],
  [['--scopes', 'read,write'], '--scopes: expected scopes out of submit, read, control, admin, got "read,write".'],
  [['--scopes', ','], '--scopes: expected scopes out of submit, read, control, admin, got ",".'],
])('%j is refused with exit code 2 and no key', (args, message) => {
  const { status, stdout, stderr } = runKey(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('--help prints how to use it, and no key', () => {
  const { status, stdout } = runKey('--help');
  expect(status).toBe(0);
  expect(stdout).toContain('Usage: npm run key -- [options]');
  expect(stdout).not.toContain('spw_');
});
