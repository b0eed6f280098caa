import { createHash } from 'node:crypto';
import type { Redis } from '@spillway/bullmq';
import { type BatchEntry, type JobOptions, type JobType, queueOf, SpillwayError } from '@spillway/contracts';
import { claimKeys, queueKeys } from '../engine/keys.ts';
import { withRedis } from '../engine/unavailable.ts';
import { meaningOf } from './canonical.ts';
import { type createIds, placedId, tickId } from './ids.ts';

/**
 * The right to one job: its id is fixed before it is stored, and storing it leaves a mark that outlives it, in the same
 * step. So whoever holds the claim, in whichever process, may store the job again and again: there will be one.
 */
export interface Claim {
  id: string;
  /** Names the marks, in the queue of the job. */
  digest: string;
  /** How long the marks are kept. */
  keptS: number;
  /** Whether somebody held the claim before. */
  replayed: boolean;
}

/** A batch under an idempotency key. */
export interface BatchClaim {
  /** The batch's id. */
  id: string;
  replayed: boolean;
  /** What became of each job, where the batch was stored to its end before. */
  entries: BatchEntry[] | undefined;
  /** The claim to the job at this place of the batch: the same one whenever the batch is repeated. */
  place(index: number, queue: string): Claim;
  /** Remembers what became of each job; returns what was remembered first. @throws SpillwayError `unavailable` */
  settle(entries: BatchEntry[]): Promise<BatchEntry[]>;
}

/** Who uses which key. */
export interface KeyUse {
  key: string;
  /** Keys of one tenant are nothing to another. */
  tenant: string | undefined;
}

export interface WantedJob {
  type: JobType;
  input: unknown;
  /** As they were asked for. */
  options: JobOptions;
  /** A job that is delayed lives for longer, and its key with it. */
  delayMs: number;
}

export interface Claims {
  /**
   * Claims a job for a key, or finds who did.
   * @throws SpillwayError `idempotency_key_reused` where the key stands for something else.
   */
  job(use: KeyUse, wanted: WantedJob, now: number): Promise<Claim>;
  /**
   * Remembers that the queue had no room for the job: the next try under the key is a first one, and no replay. The claim
   * itself stays, as another try of the same moment may have stored the job.
   */
  noteRefusal(claim: Claim): Promise<void>;
  /** The same for a batch, by its whole body. */
  batch(use: KeyUse, body: unknown, now: number): Promise<BatchClaim>;
}

export function createClaims(setup: {
  redis: Redis;
  prefix: string;
  newId: ReturnType<typeof createIds>;
  keptS: number;
}): Claims {
  const { redis, prefix, newId, keptS } = setup;

  /** Sets the claim or reads it. The id that stands is ours as well where our own SET was sent twice. */
  async function claim(digest: string, means: string, id: string, seconds: number): Promise<Omit<Claim, 'keptS'>> {
    const { claim: at } = claimKeys(prefix, digest);
    for (;;) {
      if (await redis.set(at, `${means} ${id}`, 'EX', seconds, 'NX')) return { id, digest, replayed: false };
      const found = await redis.get(at);
      if (found === null) continue; // it has just run out
      const [said, held = id] = found.split(' ');
      if (said === means) return { id: held, digest, replayed: held !== id };
      throw new SpillwayError(
        'idempotency_key_reused',
        'expected an idempotency key that is new, or the same request again, got one that was used with another request',
      );
    }
  }

  /** Whether the earlier tries left no job. Of several that ask at once, one is told so. */
  async function isFirstAfterRefusal({ id, digest }: Omit<Claim, 'keptS'>): Promise<boolean> {
    if ((await redis.del(claimKeys(prefix, digest).refused)) === 0) return false;
    return (await redis.hexists(queueKeys(prefix, queueOf(id) ?? '').submitted(digest), id)) === 0;
  }

  return {
    async noteRefusal({ digest, keptS: seconds }) {
      await withRedis(redis, () => redis.set(claimKeys(prefix, digest).refused, 1, 'EX', seconds));
    },
    async job(use, { type, input, options, delayMs }, now) {
      const means = meaningOf(['job', type.type, input, options]);
      const seconds = keptS + Math.ceil(delayMs / 1000);
      const held = await claim(digestOf(use), means, newId(type.queue, now), seconds);
      const replayed = held.replayed && !(await isFirstAfterRefusal(held));
      return { ...held, replayed, keptS: seconds };
    },
    async batch(use, body, now) {
      const digest = digestOf(use);
      const { id, replayed } = await claim(digest, meaningOf(['batch', body]), newId('batch', now), keptS);
      const { outcome } = claimKeys(prefix, digest);
      const known = replayed ? await redis.get(outcome) : null;
      return {
        id,
        replayed,
        entries: known === null ? undefined : (JSON.parse(known) as BatchEntry[]),
        place: (index, queue) => ({ id: placedId(queue, id, index), digest, keptS, replayed: false }),
        settle: (entries) =>
          withRedis(redis, async () => {
            if (await redis.set(outcome, JSON.stringify(entries), 'EX', keptS, 'NX')) return entries;
            const first = await redis.get(outcome);
            return first === null ? entries : (JSON.parse(first) as BatchEntry[]);
          }),
      };
    },
  };
}

/** Both are somebody else's text; a tenant's name has no NUL in it. */
function digestOf({ key, tenant = '' }: KeyUse): string {
  return createHash('sha256').update(`${tenant}\0${key}`).digest('base64url');
}

/**
 * How long it is remembered that a tick's job was stored, beside the job itself: for the case that it is removed before the
 * process that stored it could say so, was lost, and another one does it again.
 */
const TICK_KEPT_S = 3600;

/**
 * The right to the job of a schedule's tick, the same in every process. The id's time is the tick's. `secret` makes the id
 * hard to guess, and that of another tick's job in another life of the schedule.
 */
export function tickClaim(queue: string, secret: string, tick: number): Claim {
  const digest = createHash('sha256').update(`tick\0${secret}\0${tick}`).digest('base64url');
  return { id: tickId(queue, secret, tick), digest, keptS: TICK_KEPT_S, replayed: false };
}
