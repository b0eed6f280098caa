import { PARKED_SCORE } from '../engine/limits.ts';
import { defineScript } from '../engine/script.ts';

/** How far from the head a job without a number is looked for: some ten microseconds of Redis. */
const LOOKED_THROUGH = 1000;
/** Jobs at the head that are asked for a number: those that a stopping worker handed back have none. */
const HEADS_ASKED = 10;

/**
 * What a queue's line looks like, and what was measured of it; nothing here grows with the line.
 *
 * KEYS  1 wait  2 prioritized  3 active  4 meta  5 limiter  6 rates
 * ARGV  1 key prefix of the queue
 * Returns now in ms, jobs in wait, prioritized, active, {paused, concurrency, max, duration}, starts in the present
 *         window and its rest in ms, {timestamp, opts, processedOn, ws} of both heads, rates as a flat list
 */
export const lineScript = defineScript(`
local function headOf(id)
  return id and redis.call('HMGET', ARGV[1] .. id, 'timestamp', 'opts', 'processedOn', 'ws') or {}
end
local time = redis.call('TIME')
return {
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3]),
  redis.call('HMGET', KEYS[4], 'paused', 'concurrency', 'max', 'duration'),
  tonumber(redis.call('GET', KEYS[5]) or 0), redis.call('PTTL', KEYS[5]),
  headOf(redis.call('LINDEX', KEYS[1], -1)), headOf(redis.call('ZRANGE', KEYS[2], 0, 0)[1]),
  redis.call('HGETALL', KEYS[6]),
}
`);

/**
 * Where jobs stand in their queue, at one position of its event stream. Every job that enters the line at its end gets a
 * number (field `n`), so that its place is the distance to the head's number: walking the line would cost milliseconds. A
 * job that entered otherwise (a delayed one that became due, by the engine's hand) has no number; it is looked for among the
 * first ${LOOKED_THROUGH}, and counts as the last one where it is not among them.
 *
 * A job in the line of its group stands behind the main line and behind those of its own group, and each other group with
 * jobs goes as often before it: a guess, as weights, caps and the lengths of the others' lines are not looked at.
 *
 * KEYS  1 wait  2 prioritized  3 delayed  4 waiting-children  5 events
 * ARGV  1 key prefix of the queue, then ids of jobs
 * Returns position, now in ms, and for each job {place, ahead, type}, or false where it does not wait; place is 'waiting',
 *         'capped' where its group may start none at the moment, or the score of a delayed one.
 */
export const placesScript = defineScript(`
local base = ARGV[1]
local time = redis.call('TIME')
local last = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)
local waiting = redis.call('LLEN', KEYS[1])

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
  return math.max(0, waiting - 1 - (place or 0))
end

local function mayStartNone(at, name)
  local text = redis.call('HGET', at .. 'limits', name) or redis.call('HGET', at .. 'limits', '') or '1 0 0 0'
  local concurrency, starts = string.match(text, '^%d+ (%d+) (%d+)')
  local running = tonumber(redis.call('HGET', at .. 'running', name) or 0)
  if tonumber(concurrency) > 0 and running >= tonumber(concurrency) then return true end
  return tonumber(starts) > 0 and tonumber(redis.call('GET', at .. 'window:' .. name) or 0) >= tonumber(starts)
end

local function placeInGroup(field, id, type)
  local at, name = base .. 'group:', string.match(field, '^%d+:(.*)$')
  local rank = redis.call('ZRANK', at .. 'line:' .. name, id)
  if not rank then return nil end
  local others = (rank + 1) * (redis.call('ZCARD', base .. 'groups') - 1)
  local ahead = waiting + math.min(rank + others, redis.call('ZCARD', base .. 'grouped') - 1)
  return {mayStartNone(at, name) and 'capped' or 'waiting', ahead, type}
end

local function placeOf(id)
  local job = base .. id
  local known = redis.call('HMGET', job, 'name', 'finishedOn', 'n', 'group')
  if not known[1] or known[2] or redis.call('EXISTS', job .. ':lock') == 1 then return false end
  local due = redis.call('ZSCORE', KEYS[3], id)
  if due then
    local rank = redis.call('ZRANK', KEYS[3], id)
    if tonumber(due) < ${PARKED_SCORE} then return {due, rank, known[1]} end
    -- Held back until there is room, behind all that are in line.
    return {'waiting', waiting + redis.call('ZCARD', KEYS[2]) + rank - redis.call('ZCOUNT', KEYS[3], '-inf', '(${PARKED_SCORE}'), known[1]}
  end
  if redis.call('ZSCORE', KEYS[4], id) then return false end
  local grouped = known[4] and placeInGroup(known[4], id, known[1])
  if grouped then return grouped end
  local rank = redis.call('ZRANK', KEYS[2], id)
  if rank then return {'waiting', waiting + rank, known[1]} end
  return {'waiting', aheadInLine(id, known[3]), known[1]}
end

local places = {}
for at = 2, #ARGV do places[#places + 1] = placeOf(ARGV[at]) end
return {last[1] and last[1][1] or '0-0', time[1] * 1000 + math.floor(time[2] / 1000), places}
`);
