import { defineScript } from '../engine/script.ts';

/**
 * Scripts of schedules. All take the same first four keys and the schedule's name first.
 *
 * A schedule is a hash: definition (JSON), meaning (its digest), revision (new whenever it is changed), due (its next tick),
 * pending (JSON: ticks that have fired and whose jobs may not be stored yet), paused, ticks, last (JSON), createdAt,
 * changedAt, tenant. `due` of the sorted set is when something is to be done about it: while ticks are pending it stays
 * where it was, in the past, so that whoever looks next finishes what a dead process began.
 *
 * KEYS  1 the schedule  2 names of schedules  3 names by due time  4 the lease of whoever looks after them
 */
const SCHEDULE_FUNCTIONS = `
local key, name = KEYS[1], ARGV[1]

local function now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local function setDue(due)
  if due == '' then redis.call('HDEL', key, 'due') else redis.call('HSET', key, 'due', due) end
end

local function line()
  local due = redis.call('HGET', key, 'due')
  if due then redis.call('ZADD', KEYS[3], due, name) else redis.call('ZREM', KEYS[3], name) end
end
`;

/**
 * ARGV  2 meaning  3 definition  4 new revision  5 tenant or ''  6 first tick or ''  7 time in ms
 *       8 schedules in all at most
 * Returns created, changed, unchanged, or full where there is no room for another.
 */
export const putSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
local known = redis.call('HMGET', key, 'meaning', 'paused')
if known[1] == ARGV[2] then return 'unchanged' end
if not known[1] and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[8]) then return 'full' end
redis.call('HDEL', key, 'pending', 'last', 'tenant')
redis.call('HSET', key, 'meaning', ARGV[2], 'definition', ARGV[3], 'revision', ARGV[4], 'ticks', 0, 'changedAt', ARGV[7])
redis.call('HSETNX', key, 'createdAt', ARGV[7])
if ARGV[5] ~= '' then redis.call('HSET', key, 'tenant', ARGV[5]) end
redis.call('ZADD', KEYS[2], 0, name)
setDue(known[2] and '' or ARGV[6])
line()
return known[1] and 'changed' or 'created'
`);

/** Returns whether it was there. */
export const removeSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
redis.call('ZREM', KEYS[2], name)
redis.call('ZREM', KEYS[3], name)
return redis.call('DEL', key)
`);

/** Ticks that fired before stay pending. Returns 1, or 0 where it was paused already, or -1 where there is none. */
export const pauseSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
if redis.call('EXISTS', key) == 0 then return -1 end
if redis.call('HSETNX', key, 'paused', 1) == 0 then return 0 end
setDue('')
if redis.call('HEXISTS', key, 'pending') == 0 then line() end
return 1
`);

/** ARGV  2 revision that was seen  3 next tick or ''. Returns 1, or 0 where it was not paused, or -1 where it has changed. */
export const resumeSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
if redis.call('HGET', key, 'revision') ~= ARGV[2] then return -1 end
if redis.call('HDEL', key, 'paused') == 0 then return 0 end
setDue(ARGV[3])
if redis.call('HEXISTS', key, 'pending') == 0 then line() end
return 1
`);

/**
 * Fires: the ticks become pending, and the next one due, unless somebody was faster.
 *
 * ARGV  2 revision and  3 due time that were seen  4 ticks as JSON, or '' for none  5 how many  6 next tick or ''
 * Returns 1 where it was this call.
 */
export const advanceSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
local known = redis.call('HMGET', key, 'revision', 'due', 'pending')
if known[1] ~= ARGV[2] or known[2] ~= ARGV[3] or known[3] then return 0 end
setDue(ARGV[6])
redis.call('HINCRBY', key, 'ticks', ARGV[5])
if ARGV[4] == '' then line() else redis.call('HSET', key, 'pending', ARGV[4]) end
return 1
`);

/**
 * The pending ticks are done with. Not where others are pending by now: those of a process that took over.
 *
 * ARGV  2 revision  3 the pending ticks as JSON  4 what became of the last of them, as JSON
 */
export const settleSchedule = defineScript(`${SCHEDULE_FUNCTIONS}
local known = redis.call('HMGET', key, 'revision', 'pending')
if known[1] ~= ARGV[2] or known[2] ~= ARGV[3] then return 0 end
redis.call('HDEL', key, 'pending')
redis.call('HSET', key, 'last', ARGV[4])
line()
return 1
`);

/**
 * Takes or renews the lease, and reads what is due.
 *
 * ARGV  1 who looks  2 ms for which the lease is taken  3 most schedules  4 key prefix of schedules
 * Returns nothing where somebody else has the lease, else {Redis' time in ms, due time of the next that is not due yet or
 * false, then for each due schedule its name and its fields}.
 */
export const lookAfterSchedules = defineScript(`${SCHEDULE_FUNCTIONS}
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[2])
local at = now()
local later = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. at, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local reply = {at, later[2] or false}
for _, due in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at, 'LIMIT', 0, ARGV[3])) do
  reply[#reply + 1] = due
  reply[#reply + 1] = redis.call('HGETALL', ARGV[4] .. due)
end
return reply
`);

/** ARGV  1 who had the lease */
export const releaseSchedules = defineScript(`
if redis.call('GET', KEYS[4]) == ARGV[1] then redis.call('DEL', KEYS[4]) end
return 1
`);
