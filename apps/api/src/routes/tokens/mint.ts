import {
  SpillwayError,
  TOKEN_CHAIN_MS,
  TOKEN_NAMES_MAX,
  TOKEN_NAMES_MAX_BYTES,
  TOKEN_TTL_MS,
  TokenRequest,
  type WatchGrant,
} from '@spillway/contracts';
import { type Caller, type MintedToken, mayUse, type Rights, type Tokens } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'mintToken',
  summary: 'Make or refresh a watch token',
  description:
    'With a key: a new token for the jobs, batches and tags that the body names; `may: command` needs the scope control beside read. With a token that is still valid as the bearer, and at most `ttlMs` in the body: a new one with the same id and rights.',
  tags: ['tokens'],
  body: TokenRequest,
  response: {
    201: { description: 'The token.', ...Type.Ref('TokenReply') },
    ...problems('invalid_request', 'invalid_json', 'unsupported_media_type'),
  },
};

export function mintToken(app: App, { tokens }: Services): void {
  app.post('/v1/tokens', { schema, config: scoped('read', 'refresh') }, async ({ body, caller, token }, reply) => {
    const { ttlMs = TOKEN_TTL_MS.default, ...asked } = body;
    if (token) {
      assertNoRights(asked);
      return reply.code(201).send(tokens.refresh(token, ttlMs));
    }
    const rights = readRights(asked, caller);
    return reply.code(201).send(mint(tokens, caller, rights, ttlMs));
  });
}

/** The token that comes with a submit's reply. It may only watch: what else is to be permitted is to be asked for. */
export function watchGrant(
  tokens: Tokens,
  { caller }: { caller: Caller | undefined },
  { jobs = [], batches = [] }: { jobs?: string[]; batches?: string[] },
): WatchGrant {
  return mint(tokens, caller, { may: 'watch', jobs, batches, tags: [] }, TOKEN_TTL_MS.default);
}

function mint(tokens: Tokens, caller: Caller | undefined, rights: Rights, ttlMs: number): MintedToken {
  return tokens.mint({ holder: caller?.name ?? 'unknown', rights, ttlMs, chainMs: TOKEN_CHAIN_MS });
}

function assertNoRights(asked: Omit<TokenRequest, 'ttlMs'>): void {
  const names = Object.keys(asked);
  if (names.length === 0) return;
  throw new SpillwayError(
    'invalid_request',
    `expected nothing but ttlMs beside a token, which keeps its rights when it is refreshed, got ${names.join(', ')}`,
  );
}

/** @throws SpillwayError `invalid_request` where nothing or too much is named, `forbidden` where the key may not do that itself. */
function readRights(
  { may = 'watch', jobs = [], batches = [], tags = [] }: Omit<TokenRequest, 'ttlMs'>,
  caller: Caller | undefined,
): Rights {
  const names = [...jobs, ...batches, ...tags];
  if (names.length === 0 || names.length > TOKEN_NAMES_MAX) {
    throw new SpillwayError(
      'invalid_request',
      `expected 1 to ${TOKEN_NAMES_MAX} names in jobs, batches and tags together, got ${names.length}`,
    );
  }
  const bytes = Buffer.byteLength(names.join(''));
  if (bytes > TOKEN_NAMES_MAX_BYTES) {
    throw new SpillwayError(
      'invalid_request',
      `expected names of at most ${TOKEN_NAMES_MAX_BYTES} bytes together, got ${bytes}; a batch or a tag names many jobs at once`,
    );
  }
  if (may === 'command' && !(caller && mayUse(caller, 'control'))) {
    throw new SpillwayError(
      'forbidden',
      'expected a key with the scope control for a token that may command, got one without',
    );
  }
  return { may, jobs, batches, tags };
}
