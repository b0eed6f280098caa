import { defineScript } from './script.ts';

/** Items that are read from a list at first, then twice as many, and so on: long ones end it before many were read in vain. */
const STEP = 16;

/**
 * A job at one position of its queue's event stream, with the log and output that follow a cursor: one step, so that
 * nothing lies between the parts. Read in several steps, 95 % of snapshots under load had gaps or repeats.
 *
 * KEYS  1 job  2 events  3 completed  4 failed  5 delayed  6 waiting-children
 * ARGV  1 job id  2 first log line wanted  3 first output chunk wanted  4 most lines  5 most chunks  (0 = none)
 *       6 most bytes of both together; one line and one chunk are given in any case
 * Returns position, place (false where there is no job), score, the hash as a flat list,
 *         first log number and lines, first output number and chunks, total of lines, total of chunks.
 */
export const readSnapshot = defineScript(`
local job, id = KEYS[1], ARGV[1]
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local position = last[1] and last[1][1] or '0-0'
local record = redis.call('HGETALL', job)
if #record == 0 then return {position, false} end

local place, score = 'waiting', false
local function inSet(key, name)
  local found = redis.call('ZSCORE', key, id)
  if found then place, score = name, found end
  return found
end
if not inSet(KEYS[3], 'completed') and not inSet(KEYS[4], 'failed') then
  if redis.call('EXISTS', job .. ':lock') == 1 then place = 'active'
  elseif not inSet(KEYS[5], 'delayed') then inSet(KEYS[6], 'blocked') end
end

local counts = {lc = 0, oc = 0}
for at = 1, #record, 2 do
  if counts[record[at]] then counts[record[at]] = tonumber(record[at + 1]) end
end

-- Numbers count from the job's start; a list keeps the newest, so its first item has the number total - length.
local room = tonumber(ARGV[6])
local function tail(key, total, from, most)
  if total == 0 then return {0, {}, 0} end
  local first = total - redis.call('LLEN', key)
  local start = math.max(from, first)
  local items, past, step = {}, math.min(start + most, total), ${STEP}
  while start + #items < past do
    local at = start + #items - first
    for _, item in ipairs(redis.call('LRANGE', key, at, math.min(at + step, past - first) - 1)) do
      if room < #item and items[1] then return {start, items, total} end
      items[#items + 1] = item
      room = room - #item
    end
    step = step * 2
  end
  return {math.min(start, total), items, total}
end
local log = tail(job .. ':logs', counts.lc, tonumber(ARGV[2]), tonumber(ARGV[4]))
local output = tail(job .. ':output', counts.oc, tonumber(ARGV[3]), tonumber(ARGV[5]))
return {position, place, score, record, log[1], log[2], output[1], output[2], log[3], output[3]}
`);
