import { defineScript } from '../engine/script.ts';

/** How far from the head a job without a number is looked for: some ten microseconds of Redis. */
const LOOKED_THROUGH = 1000;
/** Jobs at the head that are asked for a number: those that a stopping worker handed back have none. */
const HEADS_ASKED = 10;

/**
 * What a queue's line looks like at one position of its event stream, and where given jobs stand in it. Every job that
 * enters the line at its end gets a number (field `n`), so that its place is the distance to the head's number: walking the
 * line would cost milliseconds. A job that entered otherwise (a delayed one that became due, by the engine's hand) has no
 * number; it is looked for among the first ${LOOKED_THROUGH}, and counts as the last one where it is not among them.
 *
 * KEYS  1 wait  2 prioritized  3 delayed  4 active  5 meta  6 limiter  7 rates  8 events  9 waiting-children
 * ARGV  1 key prefix of the queue, then ids of jobs
 * Returns position, now in ms, jobs in wait, prioritized, active, {paused, concurrency, max, duration}, starts in the present
 *         window and its rest in ms, {timestamp, opts, processedOn, ws} of both heads, rates as a flat list, and for each
 *         job {place, ahead, type} or false where it does not wait; place is 'waiting', or the score of a delayed one.
 */
export const readLine = defineScript(`
local base = ARGV[1]
local time = redis.call('TIME')
local last = redis.call('XREVRANGE', KEYS[8], '+', '-', 'COUNT', 1)
local waiting, prioritized = redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2])

local function headOf(id)
  return id and redis.call('HMGET', base .. id, 'timestamp', 'opts', 'processedOn', 'ws') or {}
end

local head
local function numberOfHead()
  local first = redis.call('LRANGE', KEYS[1], -${HEADS_ASKED}, -1)
  for place = 0, #first - 1 do
    local number = redis.call('HGET', base .. first[#first - place], 'n')
    if number then return number - place end
  end
  return false
end

local function aheadInLine(id, number)
  if number and head == nil then head = numberOfHead() end
  if number and head then return math.max(0, math.min(number - head, waiting - 1)) end
  local place = redis.call('LPOS', KEYS[1], id, 'RANK', -1, 'MAXLEN', ${LOOKED_THROUGH})
  return waiting - 1 - (place or 0)
end

local function placeOf(id)
  local job = base .. id
  local known = redis.call('HMGET', job, 'name', 'finishedOn', 'n')
  if not known[1] or known[2] or redis.call('EXISTS', job .. ':lock') == 1 then return false end
  local due = redis.call('ZSCORE', KEYS[3], id)
  if due then return {due, redis.call('ZRANK', KEYS[3], id), known[1]} end
  if redis.call('ZSCORE', KEYS[9], id) then return false end
  local rank = redis.call('ZRANK', KEYS[2], id)
  if rank then return {'waiting', waiting + rank, known[1]} end
  return {'waiting', aheadInLine(id, known[3]), known[1]}
end

local places = {}
for at = 2, #ARGV do places[#places + 1] = placeOf(ARGV[at]) end

return {
  last[1] and last[1][1] or '0-0', time[1] * 1000 + math.floor(time[2] / 1000), waiting, prioritized, redis.call('LLEN', KEYS[4]),
  redis.call('HMGET', KEYS[5], 'paused', 'concurrency', 'max', 'duration'),
  tonumber(redis.call('GET', KEYS[6]) or 0), redis.call('PTTL', KEYS[6]),
  headOf(redis.call('LINDEX', KEYS[1], -1)), headOf(redis.call('ZRANGE', KEYS[2], 0, 0)[1]),
  redis.call('HGETALL', KEYS[7]), places,
}
`);
