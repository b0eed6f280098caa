import { createHash, randomBytes } from 'node:crypto';

/** What a key may do; a test keeps it equal to the contract's, which cannot be imported before the first build. */
export const SCOPES = ['submit', 'read', 'control', 'admin'];

/** So random that its plain hash cannot be searched. */
const KEY_BYTES = 32;

/**
 * @param {{ name: string, scopes: string[] }} options both checked
 * @returns {{ key: string, entry: string }} the key, and the entry of SPILLWAY_KEYS that admits it
 */
export function makeKey({ name, scopes }) {
  // The prefix tells people, and scanners of repositories, what they are looking at.
  const key = `spw_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  return { key, entry: `${name}:${scopes.join('+')}:${hash}` };
}
