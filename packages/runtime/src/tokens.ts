import { randomUUID } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import type { Caller, Keys } from './keys.ts';

/** What a token permits, and for which jobs: those that it names by their id, their batch or one of their tags. */
export interface Rights {
  /** `command` includes `watch`. */
  readonly may: 'watch' | 'command';
  readonly jobs: readonly string[];
  readonly batches: readonly string[];
  readonly tags: readonly string[];
}

/** A watch token whose signature has been verified. Times are milliseconds since the epoch. */
export interface Token {
  /** Names the token and everything that it is refreshed to, so that one revocation ends them all. */
  readonly id: string;
  /** Name of the key that it was made with. */
  readonly holder: string;
  readonly rights: Rights;
  readonly expiresAt: number;
  /** When the last refresh of it expires, whatever it asks for. */
  readonly until: number;
}

/** A token as it is handed out. */
export interface MintedToken {
  token: string;
  id: string;
  /** ISO 8601 in UTC. */
  expiresAt: string;
}

/** Who presents a bearer, or why it is worth nothing. */
export type Presented =
  | { kind: 'key'; caller: Caller }
  | { kind: 'token'; token: Token }
  | { kind: 'refused'; why: 'none' | 'unknown' | 'expired' }
  | { kind: 'refused'; why: 'revoked'; token: Token };

export interface Tokens {
  /** Throws what `secrets` throws while they are not known; to be asked before doing what ends with a new token. */
  assertReady(): void;
  /** Makes a new token. One signature, no I/O. It expires after `ttlMs`, and its refreshes within `chainMs`. */
  mint(grant: { holder: string; rights: Rights; ttlMs: number; chainMs: number }): MintedToken;
  /** A token with the same id and rights and a new expiry, which is never later than the chain's end. */
  refresh(token: Token, ttlMs: number): MintedToken;
  /** Tells a key from a token and verifies either. */
  identify(bearer: string | undefined): Presented;
  /** Whether a token that was good has ended since. */
  ended(token: Pick<Token, 'id' | 'expiresAt'>): 'expired' | 'revoked' | undefined;
}

export interface TokensSetup {
  /** Who issues and takes these tokens: two stacks with the same secret do not take each other's. */
  issuer: string;
  keys: Keys;
  /** The first signs, all verify. The same array for as long as nothing has changed. May throw while they are not known. */
  secrets: () => readonly string[];
  /** May throw while revocations are not known. */
  isRevoked: (id: string) => boolean;
  now?: () => number;
}

/** Watch tokens: JSON Web Tokens, signed with HMAC-SHA256. */
export function createTokens({ issuer, keys, secrets, isRevoked, now = Date.now }: TokensSetup): Tokens {
  const codec = createCodec(issuer, secrets);

  function sign(token: Omit<Token, 'expiresAt'>, ttlMs: number): MintedToken {
    const at = now();
    const exp = Math.min(Math.ceil((at + ttlMs) / 1000), Math.floor(token.until / 1000));
    const text = codec().sign(toClaims(token, issuer, Math.floor(at / 1000), exp));
    return { token: text, id: token.id, expiresAt: new Date(exp * 1000).toISOString() };
  }

  function ended({ id, expiresAt }: Pick<Token, 'id' | 'expiresAt'>): 'expired' | 'revoked' | undefined {
    if (now() >= expiresAt) return 'expired';
    return isRevoked(id) ? 'revoked' : undefined;
  }

  function identifyToken(text: string): Presented {
    const token = codec().read(text);
    // Taking a key away takes its tokens along.
    if (!token || !keys.has(token.holder)) return { kind: 'refused', why: 'unknown' };
    const why = ended(token);
    if (why === 'revoked') return { kind: 'refused', why, token };
    return why ? { kind: 'refused', why } : { kind: 'token', token };
  }

  return {
    assertReady: () => void codec(),
    mint({ holder, rights, ttlMs, chainMs }) {
      return sign({ id: randomUUID(), holder, rights, until: now() + chainMs }, ttlMs);
    },
    refresh: (token, ttlMs) => sign(token, ttlMs),
    identify(bearer) {
      const mayBeToken = bearer !== undefined && JWT.test(bearer);
      // Without keys everybody is taken for the same caller, but whoever shows a token is held to what it says.
      const caller = mayBeToken && !keys.required ? undefined : keys.verify(bearer);
      if (caller) return { kind: 'key', caller };
      if (mayBeToken) return identifyToken(bearer);
      return { kind: 'refused', why: bearer ? 'unknown' : 'none' };
    },
    ended,
  };
}

/** Whether a token's rights extend to this job. */
export function covers({ jobs, batches, tags }: Rights, job: { id: string; batch?: string; tags?: string[] }): boolean {
  return (
    jobs.includes(job.id) ||
    (job.batch !== undefined && batches.includes(job.batch)) ||
    (job.tags?.some((tag) => tags.includes(tag)) ?? false)
  );
}

/** Three parts of base64url, of which the signature may be missing. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** What is signed. Names that are not there are left out: the token travels with every request. */
interface Claims {
  iss: string;
  sub: string;
  iat: number;
  exp: number;
  chain: string;
  until: number;
  may: Rights['may'];
  jobs?: readonly string[];
  batches?: readonly string[];
  tags?: readonly string[];
}

function toClaims(
  { id, holder, rights, until }: Omit<Token, 'expiresAt'>,
  iss: string,
  iat: number,
  exp: number,
): Claims {
  const { may, jobs, batches, tags } = rights;
  return {
    iss,
    sub: holder,
    iat,
    exp,
    chain: id,
    until,
    may,
    ...(jobs.length > 0 && { jobs }),
    ...(batches.length > 0 && { batches }),
    ...(tags.length > 0 && { tags }),
  };
}

function toToken({ sub, exp, chain, until, may, jobs = [], batches = [], tags = [] }: Claims): Token {
  return { id: chain, holder: sub, rights: { may, jobs, batches, tags }, expiresAt: exp * 1000, until };
}

interface Codec {
  sign(claims: Claims): string;
  /** The token whose signature holds, expired or not. */
  read(text: string): Token | undefined;
}

/** Signer and verifiers are made once for a set of secrets, because that costs more than to use them. */
function createCodec(issuer: string, secrets: () => readonly string[]): () => Codec {
  let made: { for: readonly string[]; codec: Codec } | undefined;
  return () => {
    const current = secrets();
    if (made?.for !== current) made = { for: current, codec: makeCodec(issuer, current) };
    return made.codec;
  };
}

function makeCodec(issuer: string, secrets: readonly string[]): Codec {
  const sign = createSigner<Claims>({ key: secrets[0] as string, algorithm: 'HS256' });
  // The expiry is compared by the caller, whose clock it is, and who tells an expired token from a forged one.
  const verifiers = secrets.map((key) =>
    createVerifier<string>({
      key,
      algorithms: ['HS256'],
      allowedIss: issuer,
      requiredClaims: ['iss', 'sub', 'exp', 'chain', 'until', 'may'],
      ignoreExpiration: true,
    }),
  );
  return {
    sign,
    read(text) {
      for (const verify of verifiers) {
        try {
          return toToken(verify(text) as Claims);
        } catch {
          // Not signed with this secret, or no token at all: the next secret decides, and after the last one it is unknown.
        }
      }
      return undefined;
    },
  };
}
