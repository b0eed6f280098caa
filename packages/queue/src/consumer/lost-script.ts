import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { HISTORY_FUNCTIONS } from '../engine/history.ts';
import { defineScript } from '../engine/script.ts';
import { SLOT_FREED_FUNCTION } from '../engine/wake-script.ts';

/**
 * Looks for jobs whose lease ran out while they were running, and puts them back at the front of the line, without an
 * attempt spent; one that lost its worker too often ends. Each is recorded as an attempt that ended with `lost_worker`.
 *
 * Taking a job and its lease is one step of the engine, so a job in `active` without a lease is a lost one at the first
 * look; the engine's own check needs two. It also ends a job only once a worker takes it again, and says neither which
 * workers were lost nor that an attempt was. A job that others wait for, or that stands for a key of the engine's
 * deduplication, ends through the engine all the same: its scripts know what else is to be done then.
 *
 * KEYS  1 active  2 wait  3 failed  4 events  5 meta  6 marker  7 when it was looked last
 * ARGV  1 key prefix of the queue  2 now in ms  3 ms between two looks of all workers together  4 where to begin
 *       5 most jobs  6 how often a job may lose its worker  7 events kept
 * Returns where to go on, or 0 at the end, or -1 where somebody looked a moment ago.
 * Events  waiting or failed, with the attempt that ended
 */
export const recoverLost = defineScript(`${HISTORY_FUNCTIONS}${SETTLE_FUNCTIONS}${SLOT_FREED_FUNCTION}
local base, now, from, most = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
if from == 0 and not redis.call('SET', KEYS[7], now, 'NX', 'PX', ARGV[3]) then return -1 end

-- The workers of the last losses: earlier ones were forgiven when somebody retried the job.
local function lostWorkers(job, lost)
  local names = {}
  for _, record in ipairs(pastAttempts(job)) do
    if string.sub(record.reason, 1, 12) == 'lost_worker:' then names[#names + 1] = record.worker or 'unknown' end
  end
  return table.concat(names, ', ', math.max(1, #names - lost + 1))
end

local function tell(event, id, ended, ...)
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'event', event, 'jobId', id, 'prev', 'active', 'ended', ended or '', ...)
end

local function fail(job, id, reason, ended)
  redis.call('HINCRBY', job, 'atm', 1)
  redis.call('HSET', job, 'failedReason', reason, 'finishedOn', now)
  redis.call('ZADD', KEYS[3], now, id)
  tell('failed', id, ended, 'failedReason', reason)
  local batch = batchOf(job)
  if batch then settleMembers(base, batch, {id}) end
  slotFreed(base)
end

local function wait(id, ended)
  -- Its number in line says nothing at the front.
  redis.call('HDEL', base .. id, 'n')
  redis.call('RPUSH', KEYS[2], id)
  local limits = redis.call('HMGET', KEYS[5], 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', KEYS[1]) >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', KEYS[6], 0, '0') end
  tell('waiting', id, ended)
end

local function recover(job, id)
  local known = redis.call('HMGET', job, 'pb', 'parentKey', 'deid')
  local worker = known[1] or 'unknown'
  local ended = endAttempt(job, now, 'lost_worker: worker ' .. worker .. ' stopped renewing its lease')
  local lost = redis.call('HINCRBY', job, 'stc', 1)
  if lost <= tonumber(ARGV[6]) then return wait(id, ended) end
  local reason = 'lost_worker: lost its worker ' .. lost .. ' times: ' .. lostWorkers(job, lost)
  if not known[2] and not known[3] then return fail(job, id, reason, ended) end
  redis.call('HSET', job, 'defa', reason)
  wait(id, ended)
end

local running = redis.call('LRANGE', KEYS[1], from, from + most - 1)
for _, id in ipairs(running) do
  local job = base .. id
  if redis.call('EXISTS', job .. ':lock') == 0 and redis.call('LREM', KEYS[1], -1, id) > 0 and redis.call('EXISTS', job) == 1 then
    recover(job, id)
  end
end
return #running == most and from + most or 0
`);
