import type { Redis } from '@spillway/bullmq';
import type { GroupInfo, GroupLimits, QueueGroupLimits, QueueGroups } from '@spillway/contracts';
import { GROUP_FUNCTIONS } from './group-script.ts';
import type { QueueKeys } from './keys.ts';
import type { StoredOptions } from './record.ts';
import { defineScript } from './script.ts';

/** What the record of a job says of its group: priority, colon, name; undefined where it has none. Pure. */
export function groupField({ group, groupPriority = 0 }: StoredOptions): string | undefined {
  return group === undefined ? undefined : `${groupPriority}:${group}`;
}

/**
 * Takes the slots of jobs that have ended, or wait for their next attempt, and moves the next ones into the main line.
 *
 * ARGV  1 key prefix of the queue, then the ids
 * Returns ms until the next window opens, or -1.
 */
const releaseScript = defineScript(`${GROUP_FUNCTIONS}
local groups = groupsOf(ARGV[1])
groups.release({unpack(ARGV, 2)})
return groups.pump()
`);

/** @returns ms until a group may start again that has used up its window; undefined where none has. */
export async function releaseSlots(redis: Redis, keys: QueueKeys, ids: readonly string[]): Promise<number | undefined> {
  return opening(await releaseScript(redis, [keys.groups], [keys.base, ...ids]));
}

/**
 * Takes a job out of its group's line and its slot from it, once it is removed.
 *
 * ARGV  1 key prefix of the queue  2 what its record said of its group  3 its id
 */
const removeScript = defineScript(`${GROUP_FUNCTIONS}
local groups = groupsOf(ARGV[1])
groups.leave(ARGV[2], ARGV[3])
groups.release({ARGV[3]})
return groups.pump()
`);

export async function leaveGroup(redis: Redis, keys: QueueKeys, id: string, field: string): Promise<void> {
  await removeScript(redis, [keys.groups], [keys.base, field, id]);
}

/**
 * Repairs what a worker left that died between the end of a job and the release of its slot, and lets groups take turns for
 * which changed limits made room. A queue that never had a group pays one EXISTS.
 *
 * KEYS  1 state  2 slots  3 when it was swept last  4 groups with jobs in line  5 turns  6 groups that are ahead
 * ARGV  1 key prefix of the queue  2 where to begin in the slots  3 how many  4 ms between two sweeps of all workers together
 *       (0 sweeps in any case)
 * Returns where to go on in the slots, or 0 at the end, or -1 where there is nothing to do; ms until the next window opens, or -1;
 *         and 1 while there are groups left to be let in.
 */
const sweepScript = defineScript(`${GROUP_FUNCTIONS}
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1, -1, 0} end
if ARGV[2] == '0' and ARGV[4] ~= '0' and not redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[4]) then return {-1, -1, 0} end
local groups = groupsOf(ARGV[1])

local scanned = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local ids = {}
for at = 1, #scanned[2], 2 do ids[#ids + 1] = scanned[2][at] end
groups.release(ids)

local from = redis.call('HGET', KEYS[1], 'changed')
if from then
  local names = redis.call('ZSCAN', KEYS[4], from, 'COUNT', ARGV[3])
  for at = 1, #names[2], 2 do groups.enter(names[2][at]) end
  from = names[1] ~= '0' and names[1]
  if from then redis.call('HSET', KEYS[1], 'changed', from) else redis.call('HDEL', KEYS[1], 'changed') end
end
local opening = groups.pump()
-- With nobody else there, who has had how much is of no consequence.
if redis.call('EXISTS', KEYS[2], KEYS[4]) == 0 then redis.call('DEL', KEYS[5], KEYS[6]) end
return {tonumber(scanned[1]), opening, from and 1 or 0}
`);

/** Slots, and groups, that one call looks at: about a millisecond, in which Redis serves nobody else. */
const SWEEP_CHUNK = 200;

/**
 * Sweeps once over all slots, unless somebody did so within `pauseMs`.
 * @returns as `releaseSlots`.
 */
export async function sweepGroups(redis: Redis, keys: QueueKeys, pauseMs: number): Promise<number | undefined> {
  const at = keys.groupBase;
  let [from, opensInMs, more] = [0, -1, 0];
  do {
    [from, opensInMs, more] = (await sweepScript(
      redis,
      [`${at}state`, `${at}slots`, `${at}swept`, keys.groups, `${at}turns`, `${at}ahead`],
      [keys.base, from, SWEEP_CHUNK, from === 0 && more === 0 ? pauseMs : 0],
    )) as [number, number, number];
  } while (from > 0 || more === 1);
  return opening(opensInMs);
}

/** What the scripts of groups say of the next window, undefined where none is to open. Pure. */
export function opening(reply: unknown): number | undefined {
  return typeof reply === 'number' && reply >= 0 ? reply : undefined;
}

/**
 * Lua function `limitGroups(base, from)`, for the script that sets all limits of a queue: puts what `groupLimitArgs` made, from
 * ARGV[from] on, in the place of all limits of its groups, and returns where in ARGV it ends. They count from the next start
 * on: what runs goes on. Groups that have room now take turns again with the next sweep.
 */
export const GROUP_LIMITS_FUNCTION = `
local function limitGroups(base, from)
  local limits, state, past = base .. 'group:limits', base .. 'group:state', from + 2 + ARGV[from + 1]
  redis.call('DEL', limits)
  for at = from + 2, past - 1, 2 do redis.call('HSET', limits, ARGV[at], ARGV[at + 1]) end
  if ARGV[from] == '' then redis.call('HDEL', state, 'limits') else redis.call('HSET', state, 'limits', ARGV[from]) end
  if redis.call('EXISTS', base .. 'groups') == 1 then redis.call('HSET', state, 'changed', 0) end
  return past
end
`;

/** The limits as they were given, or empty for none; how many texts follow; and those: names and limits. Pure. */
export function groupLimitArgs(limits?: QueueGroupLimits): (string | number)[] {
  if (!limits) return ['', 0];
  const fields = limitFields(limits);
  return [JSON.stringify(limits), fields.length, ...fields];
}

/** Names and what is stored of their limits, '' for all that are not named. Pure. */
export function limitFields({ default: others = {}, byName = {} }: QueueGroupLimits): string[] {
  const named = Object.entries(byName).map(([name, own]) => [name, { ...others, ...own }] as const);
  return [['', others] as const, ...named].flatMap(([name, limits]) => [name, encodeLimits(limits)]);
}

function encodeLimits({ weight = 1, concurrency = 0, rate = { max: 0, perMs: 0 } }: GroupLimits): string {
  return [weight, concurrency, rate.max, rate.perMs].join(' ');
}

function decodeLimits(text: string): Pick<GroupInfo, 'weight' | 'concurrency' | 'rate'> {
  const [weight = 1, concurrency = 0, max = 0, perMs = 0] = text.split(' ').map(Number);
  return { weight, ...(concurrency > 0 && { concurrency }), ...(max > 0 && { rate: { max, perMs } }) };
}

/** The limits as they were given last; undefined where there are none. */
export async function readGroupLimits(redis: Redis, keys: QueueKeys): Promise<QueueGroupLimits | undefined> {
  const given = await redis.hget(`${keys.groupBase}state`, 'limits');
  return given === null ? undefined : (JSON.parse(given) as QueueGroupLimits);
}

/** Groups that are shown of a queue. */
const SHOWN = 100;

/** The groups that have jobs in line; undefined where none has. Read in two steps, so its parts may be a moment apart. */
export async function readGroups(redis: Redis, keys: QueueKeys): Promise<QueueGroups | undefined> {
  const [withJobs, flat] = await Promise.all([
    redis.zcard(keys.groups),
    redis.zrevrange(keys.groups, 0, SHOWN - 1, 'WITHSCORES'),
  ]);
  const names = flat.filter((_, index) => index % 2 === 0);
  if (names.length === 0) return undefined;
  const [running, limits] = await Promise.all([
    redis.hmget(`${keys.groupBase}running`, ...names),
    redis.hmget(`${keys.groupBase}limits`, '', ...names),
  ]);
  const [others] = limits;
  const longest = names.map((name, index) => ({
    name,
    waiting: Number(flat[index * 2 + 1]),
    running: Number(running[index] ?? 0),
    ...decodeLimits(limits[index + 1] ?? others ?? '1'),
  }));
  return { withJobs, longest };
}
