import { LINE_FUNCTIONS } from '../engine/line-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Changes the priority of a job that has not started, when it becomes due, or both. It goes to the end of the line that it
 * belongs to then, behind those of the same priority or due time. One that waits for its children keeps what was asked for until
 * they have ended.
 *
 * KEYS  1 job  2 wait  3 prioritized  4 delayed  5 waiting-children  6 active  7 counter of priorities  8 events  9 meta
 *       10 marker
 * ARGV  1 job id  2 priority, or '' as it is  3 due in ms, 0 at once, or '' as it is  4 now in ms  5 events kept
 *       6 its place in the plain line, or ''
 * Returns 1 done, 2 it was as asked already, 0 no such job, -1 a worker runs it, -2 it has ended,
 *         -5 nothing is done: its place has to be looked for, -6 it waits in the line of its group.
 * Events  delayed (with the due time); waiting
 */
export const rescheduleJob = defineScript(`${LINE_FUNCTIONS}
local job, id, now = KEYS[1], ARGV[1], tonumber(ARGV[4])

local function tell(...)
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[5], '*', 'event', ...)
end

-- As the engine scores: due time times 4096, plus a counter that keeps the order of those due at the same time.
local function delay(due)
  local first, last = due * 4096, (due + 1) * 4096 - 1
  local latest = redis.call('ZREVRANGEBYSCORE', KEYS[4], string.format('%.0f', last), string.format('%.0f', first), 'WITHSCORES', 'LIMIT', 0, 1)
  local score = latest[2] and math.min(tonumber(latest[2]) + 1, last) or first
  redis.call('ZADD', KEYS[4], string.format('%.0f', score), id)
  tell('delayed', 'jobId', id, 'delay', string.format('%.0f', due), 'prev', 'waiting')
  -- Idle workers sleep until the first delayed job is due.
  local next = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[10], string.format('%.0f', math.floor(tonumber(next[2]) / 4096)), '1')
end

local function queue(priority)
  if priority == 0 then
    redis.call('LPUSH', KEYS[2], id)
  else
    redis.call('ZADD', KEYS[3], string.format('%.0f', priority * 4294967296 + redis.call('INCR', KEYS[7]) % 4294967296), id)
  end
  -- A queue that is paused or at its limit gets the marker when that ends.
  local limits = redis.call('HMGET', KEYS[9], 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', KEYS[6]) >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', KEYS[10], 0, '0') end
end

-- Nil where that needs the job's place, 0 where it stands in none of them.
local function take(isDelayed)
  if isDelayed then return redis.call('ZREM', KEYS[4], id) end
  if redis.call('ZREM', KEYS[3], id) == 1 then return 1 end
  return takeFromLine(KEYS[2], id, ARGV[6])
end

if redis.call('EXISTS', job) == 0 then return 0 end
local known = redis.call('HMGET', job, 'finishedOn', 'priority', 'delay')
if known[1] then return -2 end
if redis.call('EXISTS', job .. ':lock') == 1 then return -1 end

local before = tonumber(known[2]) or 0
local priority, due = tonumber(ARGV[2]) or before, tonumber(ARGV[3])
local pause = due and math.max(due - now, 0)
if redis.call('ZSCORE', KEYS[5], id) then
  if priority == before and (not pause or pause == (tonumber(known[3]) or 0)) then return 2 end
  redis.call('HSET', job, 'priority', priority, 'delay', string.format('%.0f', pause or tonumber(known[3]) or 0))
  return 1
end

local isDelayed = redis.call('ZSCORE', KEYS[4], id) ~= false
local isDue = due and due <= now or not due and not isDelayed
if isDelayed and not due or not isDelayed and isDue and priority == before then
  if priority == before then return 2 end
  redis.call('HSET', job, 'priority', priority)
  return 1
end
-- It keeps its place there; one that waits for its time is asked for by the worker that takes it.
if redis.call('HEXISTS', job, 'group') == 1 and (not isDelayed or priority ~= before) then return -6 end
local taken = take(isDelayed)
if taken == nil then return -5 end
-- Between the lines: a worker that is lost had it, and it comes back by itself.
if taken == 0 then return -1 end
redis.call('HSET', job, 'priority', priority, 'delay', string.format('%.0f', pause or 0))
if not isDue then
  delay(due)
else
  queue(priority)
  if isDelayed then tell('waiting', 'jobId', id, 'prev', 'delayed') end
end
return 1
`);
