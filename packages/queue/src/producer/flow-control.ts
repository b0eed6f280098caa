import type { Redis } from '@spillway/bullmq';
import { queueOf, SpillwayError } from '@spillway/contracts';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { idOfKey } from '../engine/record.ts';
import type { ControlOutcome } from './cancel.ts';
import { blockAgain } from './flow-control-script.ts';

/** Children that are retried at the same time. */
const AT_ONCE = 50;

interface Place {
  redis: Redis;
  prefix: string;
}

/**
 * What a retry means for a member of a flow: a parent takes the children that failed it along, and waits for them again.
 * Undefined where the job is to be retried as any other.
 * @throws SpillwayError `job_active` for a child whose parent has gone on meanwhile, `job_final` where a child that failed
 * the parent is no longer there.
 */
export async function retryInFlow(
  { redis, prefix }: Place,
  id: string,
  retry: (child: string) => Promise<unknown>,
  now: number,
): Promise<ControlOutcome | undefined> {
  const keys = queueKeys(prefix, queueOf(id) ?? '');
  const [parent, children] = await redis.hmget(keys.job(id), 'parentKey', 'children');
  if (parent) await assertParentWaits({ redis, prefix }, id, parent);
  if (!children) return undefined;
  const failed = (await redis.zrange(`${keys.job(id)}:unsuccessful`, '0', '-1')).map(idOfKey);
  for (let from = 0; from < failed.length; from += AT_ONCE)
    await Promise.all(failed.slice(from, from + AT_ONCE).map((child) => retry(child).catch(passOverGone)));
  return waitAgain(redis, keys, id, now);
}

async function waitAgain(redis: Redis, keys: QueueKeys, id: string, now: number): Promise<ControlOutcome | undefined> {
  const found = await blockAgain(
    redis,
    [keys.job(id), keys.failed, keys.blocked, keys.events],
    [id, EVENTS_KEPT, now, keys.base],
  );
  if (typeof found === 'string')
    throw new SpillwayError(
      'job_final',
      `expected a job whose children can run again, got ${id}: ${idOfKey(found)} is no longer kept`,
    );
  return found === 1 ? { done: true } : undefined;
}

/** A child that comes back to a parent which waits, or has ended, does no harm; one that runs could not complete any more. */
async function assertParentWaits({ redis, prefix }: Place, id: string, parentKey: string): Promise<void> {
  const parent = idOfKey(parentKey);
  const [exists, ended] = await redis.hmget(parentKey, 'name', 'finishedOn');
  if (!exists || ended) return;
  if (await redis.zscore(queueKeys(prefix, queueOf(parent) ?? '').blocked, parent)) return;
  throw new SpillwayError(
    'job_active',
    `expected a job whose parent waits for it or has ended, got ${id}: ${parent} runs without it`,
  );
}

function passOverGone(error: unknown): void {
  // The parent is refused then, by the child's name.
  if (!(error instanceof SpillwayError && error.code === 'job_not_found')) throw error;
}

/**
 * @throws SpillwayError `not_finished` for a job that waits for its children and for a child that its parent waits for:
 * one would leave its children to work for nobody, the other its parent to start without a result that it counts on.
 */
export async function assertRemovable({ redis, prefix }: Place, id: string): Promise<void> {
  const keys = queueKeys(prefix, queueOf(id) ?? '');
  const [parentKey, children] = await redis.hmget(keys.job(id), 'parentKey', 'children');
  if (children && (await redis.zscore(keys.blocked, id)) !== null)
    throw new SpillwayError(
      'not_finished',
      `expected a job that waits for no others, got ${id}, which waits for its children; cancel it first`,
    );
  if (!parentKey) return;
  const parent = idOfKey(parentKey);
  const [awaited, blocked] = await Promise.all([
    redis.sismember(`${parentKey}:dependencies`, keys.job(id)),
    redis.zscore(queueKeys(prefix, queueOf(parent) ?? '').blocked, parent),
  ]);
  if (awaited === 1 && blocked !== null)
    throw new SpillwayError(
      'not_finished',
      `expected a job that no other waits for, got ${id}, which ${parent} waits for; cancel one of them first`,
    );
}
