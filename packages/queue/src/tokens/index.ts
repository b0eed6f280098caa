import { createHash, randomBytes } from 'node:crypto';
import type { Redis } from '@spillway/bullmq';
import { SpillwayError, TOKEN_CHAIN_MS } from '@spillway/contracts';
import { registryKeys } from '../engine/keys.ts';
import { reportOthers, withRedis } from '../engine/unavailable.ts';

/** What a ticket is good for. */
export interface TicketGrant {
  /** Name of the key behind it. */
  readonly holder: string;
  readonly job: string;
  /** The token that it was asked for with: the watch ends with it. */
  readonly token?: { readonly id: string; readonly expiresAt: number };
}

/**
 * What all processes of a stack must agree on about watch tokens: which secrets they are signed with and which of them
 * are revoked. Every process keeps a copy and looks for changes once a second, so that no request pays for it. While
 * Redis is away the copy goes on to serve: nothing can be revoked then either.
 */
export interface TokenRecords {
  /** Resolves after the first look, or after a second where Redis does not answer. Never rejects. */
  readonly looked: Promise<void>;
  /** The first signs, all verify; the same array until they change. @throws SpillwayError `unavailable` before the first look. */
  secrets(): readonly string[];
  /** @throws SpillwayError `unavailable` before the first look: a token that may be revoked is not taken. */
  isRevoked(id: string): boolean;
  /** Revokes a token with all its refreshes; here at once, in every process within about a second. A repeat is harmless. */
  revoke(id: string): Promise<void>;
  /** Keeps a grant until its ticket is used, 60 s at most. */
  makeTicket(grant: TicketGrant): Promise<{ ticket: string; expiresAt: string }>;
  /** Takes a ticket. Undefined where there is none: made up, too old, or used before. */
  redeemTicket(ticket: string): Promise<TicketGrant | undefined>;
  close(): void;
}

const LOOK_EVERY_MS = 1000;
/** As long as a token may live, and an hour for clocks that differ. */
const REVOCATION_KEPT_MS = TOKEN_CHAIN_MS + 3_600_000;
const REVOCATIONS_A_LOOK = 1000;
const TICKET_MS = 60_000;

export function openTokenRecords(setup: {
  redis: Redis;
  prefix: string;
  /** Where there are some, none is kept in Redis. */
  secrets: readonly string[];
  onError: (error: Error) => void;
}): TokenRecords {
  const { redis } = setup;
  const keys = registryKeys(setup.prefix);
  const revocations = createRevocations(redis, keys.revocations);
  let secrets = setup.secrets;
  let known = false;

  const { looked, close } = lookEverySecond(redis, reportOthers(setup.onError), async () => {
    if (setup.secrets.length === 0) secrets = await agreeOnSecret(redis, keys.tokenSecret, secrets);
    await revocations.catchUp();
    known = true;
  });

  function assertKnown(): void {
    if (!known)
      throw new SpillwayError('unavailable', 'expected to know which tokens are valid, but Redis has not told yet');
  }

  return {
    looked,
    close,
    secrets() {
      assertKnown();
      return secrets;
    },
    isRevoked(id) {
      assertKnown();
      return revocations.has(id);
    },
    revoke: (id) => withRedis(redis, () => revocations.add(id)),
    makeTicket: (grant) =>
      withRedis(redis, async () => {
        const ticket = randomBytes(32).toString('base64url');
        await redis.set(keys.ticket(hashOf(ticket)), JSON.stringify(grant), 'PX', TICKET_MS);
        return { ticket, expiresAt: new Date(Date.now() + TICKET_MS).toISOString() };
      }),
    redeemTicket: (ticket) =>
      withRedis(redis, async () => {
        const stored = await redis.getdel(keys.ticket(hashOf(ticket)));
        return stored === null ? undefined : (JSON.parse(stored) as TicketGrant);
      }),
  };
}

/** No text of a client becomes part of a key. */
function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}

/**
 * The secret that the stack shares. The first process to come makes it; whoever finds none later (Redis was emptied) puts
 * its own back, so that tokens stay good; and what is there counts, so that all agree, and that an operator who sets
 * another ends every token.
 */
async function agreeOnSecret(redis: Redis, key: string, mine: readonly string[]): Promise<readonly string[]> {
  let stored = await redis.get(key);
  if (!stored) {
    await redis.set(key, mine[0] ?? randomBytes(32).toString('base64url'), 'NX');
    stored = await redis.get(key);
  }
  if (!stored) throw new Error('expected the secret of tokens in Redis, got nothing');
  return stored === mine[0] ? mine : [stored];
}

/** A copy of the revocations, which are a stream: its ids never run backwards, so a look brings what is new. */
function createRevocations(redis: Redis, key: string) {
  const at = new Map<string, number>();
  let last = '-';

  function forgetOld(now: number): void {
    for (const [id, revokedAt] of at) {
      // They came in the order of their times.
      if (revokedAt > now - REVOCATION_KEPT_MS) return;
      at.delete(id);
    }
  }

  return {
    has: (id: string) => at.has(id),
    async catchUp(): Promise<void> {
      for (;;) {
        const entries = await redis.xrange(key, last, '+', 'COUNT', REVOCATIONS_A_LOOK);
        for (const [position, [, id = '']] of entries) {
          at.set(id, Number(position.split('-')[0]));
          last = `(${position}`;
        }
        if (entries.length < REVOCATIONS_A_LOOK) break;
      }
      forgetOld(Date.now());
    },
    async add(id: string): Promise<void> {
      if (at.has(id)) return;
      const now = Date.now();
      const oldest = now - REVOCATION_KEPT_MS;
      const replies = await redis
        .multi()
        .xadd(key, 'MINID', '~', oldest, '*', 'id', id)
        .pexpire(key, REVOCATION_KEPT_MS)
        .exec();
      for (const [error] of replies ?? []) if (error) throw error;
      at.set(id, now);
    },
  };
}

/** Looks as soon as Redis is there, and every second from then on, until it is closed. One look at a time. */
function lookEverySecond(redis: Redis, onError: (error: Error) => void, look: () => Promise<void>) {
  let state: 'idle' | 'looking' | 'closed' = 'idle';
  let failing = false;
  let settle: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => {
    settle = resolve;
    setTimeout(resolve, LOOK_EVERY_MS).unref();
  });

  async function next(): Promise<void> {
    if (state !== 'idle' || redis.status !== 'ready') return;
    state = 'looking';
    try {
      await look();
      failing = false;
    } catch (error) {
      // Once an outage: a look that fails every second would say the same for as long as it lasts.
      if (!failing) onError(error as Error);
      failing = true;
    }
    settle();
    if (state === 'looking') state = 'idle';
  }

  const go = () => void next();
  go();
  redis.on('ready', go);
  const timer = setInterval(go, LOOK_EVERY_MS);
  return {
    looked,
    close() {
      state = 'closed';
      clearInterval(timer);
      redis.off('ready', go);
    },
  };
}
