import type { Redis } from '@spillway/bullmq';
import { SETTLE_FUNCTIONS } from './batch-script.ts';
import { CHILD_FUNCTIONS } from './child-script.ts';
import { GROUP_FUNCTIONS } from './group-script.ts';
import type { QueueKeys } from './keys.ts';
import { CANCELLING_S, EVENTS_KEPT } from './limits.ts';
import { LINE_FUNCTIONS, withPlace } from './line-script.ts';
import { defineScript } from './script.ts';
import { SLOT_FREED_FUNCTION } from './wake-script.ts';

/**
 * Lua functions for scripts that end jobs as cancelled: `finish(mark, deduplication)` ends the one that `job` and `id` name
 * and that is in no line any more. Their KEYS 7 and 8 are the failed ones and the events, their ARGV 3 to 5 now in ms, events
 * kept and the key prefix of the queue.
 */
export const CANCEL_FUNCTIONS = `${CHILD_FUNCTIONS}${SETTLE_FUNCTIONS}${GROUP_FUNCTIONS}
local job, id

local function textOf(mark)
  local told = cjson.decode(mark)
  return 'cancelled: cancelled by ' .. told.by .. (told.reason and ': ' .. told.reason or '')
end

-- As the engine does at a job's end: what waits for this one to be over may come now.
local function releaseDeduplication(name)
  local key = name and ARGV[5] .. 'de:' .. name
  if key and redis.call('PTTL', key) == -1 and redis.call('GET', key) == id then redis.call('DEL', key) end
end

local function finish(mark, deduplication)
  local text = textOf(mark)
  redis.call('HSET', job, 'cancel', mark, 'failedReason', text, 'finishedOn', ARGV[3])
  -- What the engine would fail it with when it is retried.
  redis.call('HDEL', job, 'defa')
  redis.call('ZADD', KEYS[7], ARGV[3], id)
  releaseDeduplication(deduplication)
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[4], '*', 'event', 'failed', 'jobId', id, 'failedReason', text, 'prev', 'waiting', 'cancel', mark)
  childFailed(job, text, ARGV[3])
  local batch = batchOf(job)
  if batch then settleMembers(ARGV[5], batch, {id}) end
  return 1
end
`;

/**
 * Ends a job that no worker runs: takes it out of whichever line it stands in, files it among the failed with its reason
 * and appends the event, in one step. A job that a worker runs gets a mark instead, which its worker reads; one that has
 * ended is left as it is. A mark that is there already stays: the first canceller counts, also where the job has come
 * back to a line since.
 *
 * Where the engine has more to do at a job's end than to file it (the next one under its dedupe key is kept back), the job
 * is marked so that the engine ends it the moment a worker takes it. A parent that waits for it learns of it in the same step,
 * and its batch counts it.
 *
 * As a command it is also remembered in the same step: the answer stands under the command's key, so a repeat is told the
 * same and changes nothing. Effect and answer are both there or both not, whenever the caller's process dies.
 *
 * KEYS  1 job  2 wait  3 prioritized  4 delayed  5 waiting-children  6 active  7 failed  8 events  9 cancelling
 *       [10 command]
 * ARGV  1 job id  2 mark as JSON {by, reason?, at}; empty to end only a job that has a mark  3 now in ms  4 events kept
 *       5 key prefix of the queue  6 seconds that workers look for marks  7 its place in the plain line, or ''
 *       [8 what the command says  9 seconds that it is remembered]
 * Returns 1 cancelled, 2 it was cancelled before, 3 its worker will be told, 4 it had a mark before, 0 no such job,
 *         -1 it stands nowhere that we know, -2 it has ended otherwise, -3 it has no mark,
 *         -4 the command was given before and said something else, -5 nothing is done: its place has to be looked for.
 * Events  failed (with the reason and the mark), as the engine's own scripts write it; cancelling (with the mark); waiting
 */
const cancelScript = defineScript(`${CANCEL_FUNCTIONS}${SLOT_FREED_FUNCTION}${LINE_FUNCTIONS}
job, id = KEYS[1], ARGV[1]
local command = KEYS[10]

local function tell(mark)
  redis.call('HSET', job, 'cancel', mark)
  redis.call('SET', KEYS[9], 1, 'EX', ARGV[6])
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[4], '*', 'event', 'cancelling', 'jobId', id, 'cancel', mark)
  return 3
end

-- Field \`defa\` is the engine's: a job that has it fails with that reason instead of being run.
local function finishAtPickUp(mark, leaveGroup)
  redis.call('HSET', job, 'defa', textOf(mark))
  tell(mark)
  if redis.call('ZREM', KEYS[4], id) + redis.call('ZREM', KEYS[5], id) + leaveGroup() > 0 then
    redis.call('RPUSH', KEYS[2], id)
    redis.call('ZADD', ARGV[5] .. 'marker', 0, '0')
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[4], '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
  end
  return 3
end

local function cancel()
  if redis.call('EXISTS', job) == 0 then return 0 end
  local known = redis.call('HMGET', job, 'finishedOn', 'failedReason', 'cancel', 'deid', 'defa', 'group')
  local marked, field = known[3], known[6]
  local groups = field and groupsOf(ARGV[5])
  local function leaveGroup() return groups and groups.leave(field, id) or 0 end
  if ARGV[2] == '' and not marked then return -3 end
  if known[1] then return string.sub(known[2] or '', 1, 11) == 'cancelled: ' and 2 or -2 end
  if redis.call('EXISTS', job .. ':lock') == 1 then return marked and 4 or tell(ARGV[2]) end
  if known[4] and redis.call('EXISTS', ARGV[5] .. 'dn:' .. known[4]) == 1 then
    local answer = marked and known[5] and 4 or finishAtPickUp(marked or ARGV[2], leaveGroup)
    if groups then groups.pump() end
    return answer
  end
  local taken = redis.call('ZREM', KEYS[4], id) + redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[5], id) + leaveGroup()
  -- Active without a lease: its worker is lost, and whatever it still says is refused.
  if taken == 0 then
    taken = redis.call('LREM', KEYS[6], 0, id)
    if taken > 0 then slotFreed(ARGV[5]) end
  end
  if taken == 0 then taken = takeFromLine(KEYS[2], id, ARGV[7]) end
  if taken == nil then return -5 end
  if taken == 0 then return -1 end
  finish(marked or ARGV[2], known[4])
  if groups then
    groups.release({id})
    groups.pump()
  end
  return 1
end

if not command then return cancel() end
local given = redis.call('HMGET', command, 'says', 'answer')
if given[1] then return given[1] == ARGV[8] and tonumber(given[2]) or -4 end
local answer = cancel()
-- Of a job that is not there nothing is remembered: made-up ids must not fill the memory.
if answer ~= 0 and answer ~= -5 then
  redis.call('HSET', command, 'says', ARGV[8], 'answer', answer)
  redis.call('EXPIRE', command, ARGV[9])
end
return answer
`);

/**
 * Takes the mark off a job that has ended, before it is retried. One that somebody else has retried meanwhile, and that
 * was cancelled anew since, keeps its mark.
 *
 * KEYS  1 job
 */
const clearScript = defineScript(`
if redis.call('HEXISTS', KEYS[1], 'finishedOn') == 0 then return 0 end
return redis.call('HDEL', KEYS[1], 'cancel')
`);

/** What to do to a job: mark and end it, or end it if it has a mark; and the command that orders it, if one does. */
export interface CancelOrder {
  /** JSON of a Cancellation; empty to end a job that has a mark. */
  mark: string;
  now: number;
  command?: { key: string; says: string; keptS: number };
}

/** @returns what the script says. */
export function cancelJob(
  redis: Redis,
  keys: QueueKeys,
  id: string,
  { mark, now, command }: CancelOrder,
): Promise<unknown> {
  const { wait, prioritized, delayed, blocked, active, failed, events, cancelling } = keys;
  const touched = [keys.job(id), wait, prioritized, delayed, blocked, active, failed, events, cancelling];
  if (command) touched.push(command.key);
  return withPlace({ redis, line: wait, id }, (place) =>
    cancelScript(redis, touched, [
      ...[id, mark, now, EVENTS_KEPT, keys.base, CANCELLING_S, place],
      ...(command ? [command.says, command.keptS] : []),
    ]),
  );
}

/** Takes back that a job which has ended was cancelled. To be called before a retry, or its next worker ends it again. */
export async function clearCancellation(redis: Redis, keys: QueueKeys, id: string): Promise<void> {
  await clearScript(redis, [keys.job(id)], []);
}
