import type { Redis } from '@spillway/bullmq';
import { queueOf, SpillwayError } from '@spillway/contracts';
import { decodeFailure } from '../engine/failure.ts';
import { queueKeys } from '../engine/keys.ts';
import { type ChildLink, childLinks } from '../engine/record.ts';
import { withRedis } from '../engine/unavailable.ts';
import type { Cancel } from './cancel.ts';

/** Children that are cancelled at the same time. */
const AT_ONCE = 50;

/**
 * Cancels a job and then all that it waits for. The parent goes first: a child that ends as cancelled would otherwise fail
 * it. A call that is cut short between the two is finished by the next one, which finds the parent cancelled already.
 * Children that have ended stay as they are.
 */
export function cancellingChildren({ redis, prefix }: { redis: Redis; prefix: string }, cancel: Cancel): Cancel {
  const cancelTree: Cancel = async (id, by, options) => {
    const outcome = await cancel(id, by, options);
    const children = await withRedis(redis, () => childrenOfCancelled(redis, prefix, id));
    for (let from = 0; from < children.length; from += AT_ONCE) {
      const next = children.slice(from, from + AT_ONCE);
      await Promise.all(next.map((child) => cancelTree(child.id, by, { reason: options?.reason }).catch(passOver)));
    }
    return outcome;
  };
  return cancelTree;
}

/** A job that ended otherwise, or was retried since, keeps its children: an old command that is repeated must not end them. */
async function childrenOfCancelled(redis: Redis, prefix: string, id: string): Promise<ChildLink[]> {
  const key = queueKeys(prefix, queueOf(id) ?? '').job(id);
  const [children, ended, reason] = await redis.hmget(key, 'children', 'finishedOn', 'failedReason');
  const isCancelled = ended && decodeFailure(reason ?? '').code === 'cancelled';
  return isCancelled ? childLinks({ children: children ?? '' }) : [];
}

const PASSED_OVER = new Set(['job_not_found', 'job_final', 'job_active']);

function passOver(error: unknown): void {
  if (!isPassedOver(error)) throw error;
}

/** Whether a cancel of many goes on after this: the job has ended by itself, or is gone. */
export function isPassedOver(error: unknown): boolean {
  return error instanceof SpillwayError && PASSED_OVER.has(error.code);
}
