import { type Static, Type } from '@spillway/schema';
import { SpillwayError } from './errors.ts';

/**
 * How long a watch token lives: 15 minutes unless asked otherwise, because it may lie in a browser. It is refreshed in
 * time, by whoever holds it, for a day at most; after that a key has to ask for a new one.
 */
export const TOKEN_TTL_MS = { default: 900_000, min: 10_000, max: 3_600_000 } as const;
export const TOKEN_CHAIN_MS = 86_400_000;

/**
 * Names that one token may carry, and their length together in bytes of UTF-8. A token travels in a header, and the
 * common proxies take lines of up to 8 KB, which 4 KB are in base64 with everything around them.
 */
export const TOKEN_NAMES_MAX = 100;
export const TOKEN_NAMES_MAX_BYTES = 4000;

const TtlMs = Type.Optional(
  Type.Integer({
    minimum: TOKEN_TTL_MS.min,
    maximum: TOKEN_TTL_MS.max,
    description: `how long it is valid; ${TOKEN_TTL_MS.default} by default`,
  }),
);

const names = (maxLength: number, description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength }), { maxItems: TOKEN_NAMES_MAX, uniqueItems: true, description }),
  );

/** Body of `POST /v1/tokens`. With a token as the bearer only `ttlMs` may stand in it: a refresh keeps the rights. */
export const TokenRequest = Type.Object(
  {
    may: Type.Optional(
      Type.Enum(['watch', 'command'], { description: 'command includes watch, and also cancels; watch by default' }),
    ),
    jobs: names(128, 'ids of jobs'),
    batches: names(128, 'ids of batches: all of their jobs'),
    tags: names(100, 'tags: all jobs that carry one of them, now or later'),
    ttlMs: TtlMs,
  },
  { additionalProperties: false, $id: 'TokenRequest' },
);
export type TokenRequest = Static<typeof TokenRequest>;

const granted = {
  token: Type.String({
    description: 'send it as `Authorization: Bearer <token>` or as `auth.token` of a live connection',
  }),
  id: Type.String({ description: 'names the token and all its refreshes; DELETE /v1/tokens/<id> ends them' }),
  expiresAt: Type.String({ format: 'date-time', description: 'refresh it before' }),
};

/** A watch token, as the replies to submits carry it. */
export const WatchGrant = Type.Object(granted);
export type WatchGrant = Static<typeof WatchGrant>;

export const TokenReply = Type.Object(granted, { $id: 'TokenReply' });
export type TokenReply = Static<typeof TokenReply>;

/** Body of `POST /v1/tickets`. */
export const TicketRequest = Type.Object(
  { job: Type.String({ minLength: 1, maxLength: 128, description: 'id of the job to be watched' }) },
  { additionalProperties: false, $id: 'TicketRequest' },
);
export type TicketRequest = Static<typeof TicketRequest>;

export const TicketReply = Type.Object(
  {
    ticket: Type.String({ description: 'good for one `GET /v1/jobs/<job>/events?ticket=<ticket>`' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'TicketReply' },
);
export type TicketReply = Static<typeof TicketReply>;

/** The problem of a token that was good and is so no longer. */
export function endedToken(why: 'expired' | 'revoked'): SpillwayError {
  return why === 'expired'
    ? new SpillwayError(
        'token_expired',
        'expected a token that is still valid, got one that has expired; refresh tokens in time with POST /v1/tokens',
      )
    : new SpillwayError('token_revoked', 'expected a token that is still valid, got one that was revoked');
}
