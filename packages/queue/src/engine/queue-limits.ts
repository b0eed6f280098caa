import type { Redis } from '@spillway/bullmq';
import type { QueueLimits, QueueLimitsRequest } from '@spillway/contracts';
import { GROUP_LIMITS_FUNCTION, groupLimitArgs, sweepGroups } from './groups.ts';
import type { QueueKeys } from './keys.ts';
import { defineScript } from './script.ts';
import { WAKE_FUNCTION } from './wake-script.ts';

/**
 * Puts a queue's limits in the place of all that it had, and wakes workers, which may start more now. The engine's workers
 * read `concurrency`, `max` and `duration` before each start.
 *
 * A window of starts that has begun goes on with what it has counted, but ends no later than the new length says: the last
 * one may have been an hour.
 *
 * KEYS  1 meta  2 starts in the present window
 * ARGV  1 key prefix of the queue, then what `limitGroups` takes, then names and values of meta's fields, a value empty where
 *       there is no limit
 */
const limitScript = defineScript(`${WAKE_FUNCTION}${GROUP_LIMITS_FUNCTION}
for at = limitGroups(ARGV[1], 2), #ARGV, 2 do
  if ARGV[at + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[at]) else redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
end
local duration = redis.call('HGET', KEYS[1], 'duration')
if not duration then redis.call('DEL', KEYS[2])
elseif redis.call('PTTL', KEYS[2]) > tonumber(duration) then redis.call('PEXPIRE', KEYS[2], duration) end
wake(ARGV[1])
return 1
`);

/** Replaces all limits of a queue, in one step. What runs goes on, also where it is more than a limit allows. */
export async function setLimits(redis: Redis, keys: QueueKeys, asked: QueueLimitsRequest): Promise<QueueLimits> {
  const limits = withoutNulls(asked) as QueueLimits;
  const args = [keys.base, ...groupLimitArgs(limits.groups), ...metaFields(limits)];
  await limitScript(redis, [keys.meta, keys.limiter], args);
  await sweepGroups(redis, keys, 0);
  return limits;
}

/** The limits as they were given last; undefined where there are none. */
export function decodeLimits(text: string | null | undefined): QueueLimits | undefined {
  return text ? (JSON.parse(text) as QueueLimits) : undefined;
}

/** What `meta` holds of the limits, the engine's own fields among it, as names and values. Pure. */
export function metaFields({ groups, ...limits }: QueueLimits): (string | number)[] {
  const { concurrency = '', rate, depth, oldestWaitMs, tenants } = limits;
  const judged = { depth, oldestWaitMs, tenants: judgedOf(tenants), groups: judgedOf(groups) };
  const fields = {
    limits: textOf(limits),
    // Apart from the others: queues without these pay no more than one field of a read for them.
    admission: textOf(judged),
    concurrency,
    max: rate?.max ?? '',
    duration: rate?.perMs ?? '',
  };
  return Object.entries(fields).flat();
}

/** What is judged of the limits of tenants or groups, if anything is: a policy by itself says nothing. */
function judgedOf(limits: QueueLimits['tenants'] = {}): QueueLimits['tenants'] {
  const { depth, oldestWaitMs, policy } = limits;
  return depth === undefined && oldestWaitMs === undefined ? undefined : { depth, oldestWaitMs, policy };
}

function textOf(limits: object): string {
  const text = JSON.stringify(limits);
  return text === '{}' ? '' : text;
}

/** Null says "no limit", as absence does. Pure. */
function withoutNulls(value: object): object {
  const kept = Object.entries(value).filter(([, part]) => part !== null && part !== undefined);
  return Object.fromEntries(
    kept.map(([name, part]) => [name, typeof part === 'object' && !Array.isArray(part) ? withoutNulls(part) : part]),
  );
}
