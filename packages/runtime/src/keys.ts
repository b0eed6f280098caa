import { hash, timingSafeEqual } from 'node:crypto';
import { ConfigError } from './config.ts';

/** Who calls: the name of the key and what it may do. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<string>;
}

/** The caller where no keys are configured: anyone on this machine, who may do everything. */
export const OPEN_CALLER: Caller = { name: 'open', scopes: new Set(['admin']) };

export interface Keys {
  /** False when no keys are configured: then everybody is `OPEN_CALLER`. */
  readonly required: boolean;
  /**
   * The caller that a presented key belongs to, or undefined. How long it takes tells a key that was right before from all
   * others, and nothing else: hashes are compared in constant time, with every entry.
   */
  verify(presented: string | undefined): Caller | undefined;
  /** Whether there is a key of this name; without keys, whether it is the name of `OPEN_CALLER`. */
  has(name: string): boolean;
}

const ENTRY = /^([\w-]{1,64}):([a-z]+(?:\+[a-z]+)*):([0-9a-fA-F]{64})$/;

/**
 * Parses SPILLWAY_KEYS. Only hashes are configured: keys are long random strings, so a plain SHA-256 cannot be searched.
 * @throws ConfigError naming the entry by its position; the text itself may be a secret and is not repeated.
 */
export function parseKeys(text: string, knownScopes: readonly string[]): Keys {
  const words = text.split(/[\s,]+/).filter(Boolean);
  // Taken as "no keys", a slip of the pen would open the service to everybody.
  if (text.trim() && words.length === 0)
    throw new ConfigError(['SPILLWAY_KEYS: expected at least one entry, got none (`npm run key` makes one)']);
  const problems: string[] = [];
  const entries = words.flatMap((entry, index) => {
    const parts = ENTRY.exec(entry);
    const scopes = parts?.[2]?.split('+') ?? [];
    if (parts?.[1] && parts[3] && scopes.every((scope) => knownScopes.includes(scope))) {
      return [{ caller: { name: parts[1], scopes: new Set(scopes) }, hash: Buffer.from(parts[3], 'hex') }];
    }
    problems.push(
      `SPILLWAY_KEYS: expected entry ${index + 1} to be <name>:<scopes joined by +>:<sha256 of the key in hex> with scopes out of ${knownScopes.join(', ')} (\`npm run key\` makes one)`,
    );
    return [];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  // One text for each key at most, since no other has its hash. Finding it takes a hash of the whole text, so how long that
  // takes tells nothing about a part of a key; and it spares each request a SHA-256, a twentieth of what a submit costs.
  const seen = new Map<string, Caller>();
  const verifyOnce = (presented: string | undefined) => {
    const known = presented && seen.get(presented);
    if (known) return known;
    const caller = verify(entries, presented);
    if (presented && caller && entries.length > 0) seen.set(presented, caller);
    return caller;
  };
  const names = new Set(entries.length > 0 ? entries.map(({ caller }) => caller.name) : [OPEN_CALLER.name]);
  return {
    required: entries.length > 0,
    verify: verifyOnce,
    has: (name) => names.has(name),
  };
}

function verify(
  entries: readonly { caller: Caller; hash: Buffer }[],
  presented: string | undefined,
): Caller | undefined {
  if (entries.length === 0) return OPEN_CALLER;
  if (!presented) return undefined;
  const presentedHash = hash('sha256', presented, 'buffer');
  let found: Caller | undefined;
  for (const entry of entries) if (timingSafeEqual(entry.hash, presentedHash)) found = entry.caller;
  return found;
}

export function mayUse(caller: Caller, scope: string): boolean {
  return caller.scopes.has(scope) || caller.scopes.has('admin');
}

/** The key in an `Authorization: Bearer …` header; the scheme's name may be written in any case (RFC 9110). */
export function bearerOf(header: string | undefined): string | undefined {
  return /^bearer +(\S+)$/i.exec(header ?? '')?.[1];
}
