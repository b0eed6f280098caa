import { ApiError } from './api-error.ts';

/** What a client shows to be let in. */
export interface Credentials {
  readonly canRenew: boolean;
  /** The key or token to show now. A token that has run out is renewed first, where that is possible. */
  token(): Promise<string | undefined>;
  /**
   * A new token in the place of the one that is held; several callers at a time share one question.
   * @throws what the source of tokens threw, after a few attempts.
   */
  renew(): Promise<string>;
  /** How long the held token can wait to be renewed; undefined where nothing runs out. */
  renewInMs(): number | undefined;
}

export interface TokenSource {
  /** The first token; where it is missing, the source is asked at the first use. */
  token?: string | undefined;
  /** @param token the one that is held */
  next(token: string | undefined): Promise<string>;
}

/** Part of a token's life after which it is renewed; the rest is for what may go wrong on the way. */
const RENEW_AT = 0.8;
/** However short-lived tokens are, they are not asked for in a storm. */
const RENEW_MIN_MS = 1_000;
/** Pauses between attempts to get a token. */
const AGAIN_MS = [500, 1_000, 2_000];

/** A key, or nothing: neither runs out. */
export function fixedKey(key: string | undefined): Credentials {
  return {
    canRenew: false,
    token: async () => key,
    renew: () => Promise.reject(new Error('Expected a token to renew, got a key')),
    renewInMs: () => undefined,
  };
}

export function renewableToken(source: TokenSource): Credentials {
  let held = source.token;
  let endsAt = held === undefined ? undefined : endOf(held);
  let asking: Promise<string> | undefined;
  const renew = () => {
    asking ??= askPatiently(source, held)
      .then((token) => {
        held = token;
        endsAt = endOfFresh(token);
        return token;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };
  return {
    canRenew: true,
    async token() {
      if (held !== undefined && (endsAt === undefined || Date.now() < endsAt)) return held;
      // A token that cannot be replaced is still the best there is: the server says what is wrong with it.
      return renew().catch((error: unknown) => held ?? Promise.reject(error));
    },
    renew,
    renewInMs: () => (endsAt === undefined ? undefined : Math.max(RENEW_MIN_MS, (endsAt - Date.now()) * RENEW_AT)),
  };
}

async function askPatiently(source: TokenSource, held: string | undefined): Promise<string> {
  for (const pauseMs of AGAIN_MS) {
    try {
      return await source.next(held);
    } catch (error) {
      // A refusal stays one; anything else may be a network that is away for a moment.
      if (error instanceof ApiError && !error.retryable) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  return source.next(held);
}

interface Claims {
  exp?: unknown;
  iat?: unknown;
}

/** When the token runs out, by the clock of this machine; undefined where it does not say. */
function endOf(token: string): number | undefined {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' ? exp * 1000 : undefined;
}

/** Of a token that was made just now its length of life is known, whatever the two clocks say. */
function endOfFresh(token: string): number | undefined {
  const { exp, iat } = claimsOf(token);
  return typeof exp === 'number' && typeof iat === 'number' ? Date.now() + (exp - iat) * 1000 : endOf(token);
}

/** The client only looks at a token's times; whether it is good is for the server to say. */
function claimsOf(token: string): Claims {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return typeof claims === 'object' && claims !== null ? claims : {};
  } catch {
    return {}; // Not in the form that we know: it is used until the server refuses it.
  }
}
