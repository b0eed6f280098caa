import { createHash, randomBytes } from 'node:crypto';

/** What a key may do; a test keeps it equal to the contract's, which cannot be imported before the first build. */
export const SCOPES = ['submit', 'read', 'control', 'admin'];

/** So random that nobody finds it from its plain hash, and so long that nobody makes one up. */
const KEY_BYTES = 32;

/**
 * @param {{ name: string, scopes: string[] }} options both checked
 * @returns {{ key: string, entry: string }} the key, which begins with `spw_` so that scanners of repositories and people know it,
 * and the entry of SPILLWAY_KEYS that admits it
 */
export function makeKey({ name, scopes }) {
  const key = `spw_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  return { key, entry: `${name}:${scopes.join('+')}:${hash}` };
}
