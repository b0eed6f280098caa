import type { Redis } from '@spillway/bullmq';
import type { QueueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { clearStarted, letIn, SCOPES_LOOKED_AT } from './let-in-script.ts';

/** How often a worker looks for jobs that are held back: seldom while there are none, often enough not to run dry otherwise. */
const LOOK_MS = 1000;
const LOOK_AGAIN_MS = 50;
/** Jobs that are let in at once: about a millisecond, in which Redis serves nobody else. */
const LET_IN_MAX = 100;
/** Tenants and groups that are looked at in one go, for room for what they hold back: the next one goes on with the others. */
const SCOPES_MAX = 200;
/** How often one of the workers clears the tenants' lists: it reads every job in them, and a submit clears the heads itself. */
const CLEAR_MS = 10_000;
/** Jobs of a tenant that one call looks at: a millisecond at most. */
const CLEAR_CHUNK = 200;

/**
 * Lets in what the queue's limits hold back, for as long as it is not stopped, and keeps the tenants' lists of jobs that were
 * not started true. Several workers may do so for one queue. Returns the stop.
 */
export function letInHeldJobs(setup: { redis: Redis; keys: QueueKeys; onError: (error: Error) => void }): () => void {
  const { redis, keys } = setup;
  const report = reportOthers(setup.onError);
  let timer: NodeJS.Timeout;
  let stopped = false;

  async function look(): Promise<number> {
    // What waits for a Redis that is away must not pile up.
    if (redis.status !== 'ready') return LOOK_MS;
    const held = await letInOnce(redis, keys);
    await clearTenants(redis, keys, CLEAR_MS);
    return held > 0 ? LOOK_AGAIN_MS : LOOK_MS;
  }

  function lookAndReport(): Promise<number> {
    return look().catch((error: Error) => {
      report(error);
      return LOOK_MS;
    });
  }

  function lookIn(ms: number): void {
    if (stopped) return;
    timer = setTimeout(() => {
      void lookAndReport().then(lookIn);
    }, ms);
  }

  lookIn(LOOK_MS);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Lets jobs in until there is no more room. @returns how many are held back still. */
export async function letInOnce(redis: Redis, keys: QueueKeys): Promise<number> {
  const { delayed, meta, events, wait, held, base } = keys;
  for (let looked = 0; ; ) {
    const reply = await letIn(redis, [delayed, meta, events, wait, held], [base, EVENTS_KEPT, LET_IN_MAX]);
    if (!Array.isArray(reply)) return 0;
    const [left, moved, scopes] = reply as [number, number, number];
    looked = moved < LET_IN_MAX ? looked + SCOPES_LOOKED_AT : 0;
    // After a whole portion there may be more room; after less there is none among those that were looked at.
    if (left === 0 || (moved < LET_IN_MAX && looked >= Math.min(scopes, SCOPES_MAX))) return left;
  }
}

/** Clears the lists of all tenants, unless a worker of the queue did so within `pauseMs`. */
export async function clearTenants(redis: Redis, keys: QueueKeys, pauseMs: number): Promise<void> {
  if ((await redis.exists(keys.tenants)) === 0) return;
  if (pauseMs > 0 && !(await redis.set(keys.tenantsCleared, 1, 'PX', pauseMs, 'NX'))) return;
  for (const tenant of await redis.smembers(keys.tenants)) {
    let from = 0;
    do {
      const touched = [keys.tenant(tenant), keys.tenants];
      from = Number(await clearStarted(redis, touched, [keys.base, tenant, from, CLEAR_CHUNK]));
    } while (from > 0);
  }
}
