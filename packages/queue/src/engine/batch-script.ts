import { defineScript } from './script.ts';

/**
 * Lua function `joinBatch(base, batch, entries, seconds)`: makes jobs that are being stored members of their batch, in the
 * same step. `entries` is a flat list of times and ids.
 */
export const JOIN_FUNCTION = `
local function joinBatch(base, batch, entries, seconds)
  local key, ids = base .. 'batch:' .. batch, {}
  for at = 2, #entries, 2 do ids[#ids + 1] = entries[at] end
  redis.call('HINCRBY', key, 'total', redis.call('SADD', key .. ':open', unpack(ids)))
  redis.call('SADD', base .. 'batches', batch)
  for _, name in ipairs({key, key .. ':open', base .. 'batches'}) do
    if redis.call('TTL', name) < seconds then redis.call('EXPIRE', name, seconds) end
  end
end
`;

/**
 * Lua functions that move members of a batch. A member stands in one place: among the open ones, the failed, the cancelled,
 * or it is counted as completed or removed. So `total` is the sum of all five whatever happens, and who comes late finds
 * the member moved and counts nothing.
 *
 * `settleMembers(base, batch, ids)` counts each open member as what its record says, and leaves those that have not ended.
 * Returns how many it counted, and how many are open.
 * `reopenMember(base, batch, id)` takes back the end of one that is retried.
 * `batchOf(job)` is the batch that the record with this key names. Its options are not decoded: the decoder stops at half a
 * character, which a tag may hold. Quotes inside of texts are escaped, so the field is found for certain.
 */
export const SETTLE_FUNCTIONS = `
local function batchOf(job)
  return string.match(redis.call('HGET', job, 'opts') or '', '"batch":"([^"\\\\]+)"')
end

local function endOf(base, id)
  local at = redis.call('ZSCORE', base .. 'completed', id)
  if at then return 'completed', at end
  at = redis.call('ZSCORE', base .. 'failed', id)
  if at then
    local reason = redis.call('HGET', base .. id, 'failedReason') or ''
    return string.sub(reason, 1, 11) == 'cancelled: ' and 'cancelled' or 'failed', at
  end
  return redis.call('EXISTS', base .. id) == 0 and 'removed' or nil
end

local function keepAsLong(key, like)
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, redis.call('TTL', like)) end
end

local function settleMembers(base, batch, ids)
  local key = base .. 'batch:' .. batch
  local open, counts, settled, latest = key .. ':open', {completed = 0, removed = 0}, 0, 0
  for _, id in ipairs(ids) do
    local place, at = endOf(base, id)
    if place and redis.call('SREM', open, id) == 1 then
      settled = settled + 1
      if counts[place] then
        counts[place] = counts[place] + 1
      else
        redis.call('ZADD', key .. ':' .. place, at, id)
        keepAsLong(key .. ':' .. place, key)
      end
      latest = math.max(latest, tonumber(at or 0))
    end
  end
  for place, count in pairs(counts) do
    if count > 0 then redis.call('HINCRBY', key, place, count) end
  end
  if latest > tonumber(redis.call('HGET', key, 'endedAt') or 0) then
    redis.call('HSET', key, 'endedAt', string.format('%.0f', latest))
  end
  return settled, redis.call('SCARD', open)
end

local function reopenMember(base, batch, id)
  local key = base .. 'batch:' .. batch
  if redis.call('ZREM', key .. ':failed', id) + redis.call('ZREM', key .. ':cancelled', id) == 0 then return end
  redis.call('SADD', key .. ':open', id)
  redis.call('SADD', base .. 'batches', batch)
  keepAsLong(key .. ':open', key)
  keepAsLong(base .. 'batches', key)
end
`;

/**
 * KEYS  1 counts of the batch
 * ARGV  1 key prefix of the queue  2 batch, then the ids
 * Returns how many members were counted, and how many are open.
 */
export const settleMembers = defineScript(`${SETTLE_FUNCTIONS}
return {settleMembers(ARGV[1], ARGV[2], {unpack(ARGV, 3)})}
`);

/**
 * For a retry that the engine does: to be called before it, so that the sweep finds the member whatever happens, and after
 * it, in case that somebody has counted it again in between.
 *
 * KEYS  1 job
 * ARGV  1 key prefix of the queue  2 id
 */
export const reopenMember = defineScript(`${SETTLE_FUNCTIONS}
local batch = batchOf(KEYS[1])
if batch then reopenMember(ARGV[1], batch, ARGV[2]) end
return 1
`);

/**
 * All counts of a batch in one queue, at one moment. Who is active is not kept with the batch, which would be work at each
 * start: the queue's list of active jobs knows it, and is no longer than its workers have slots.
 *
 * KEYS  1 counts  2 open  3 failed  4 cancelled  5 active jobs of the queue
 * Returns total, completed, removed, end of the member that ended last, open, failed, cancelled, active.
 */
export const countMembers = defineScript(`
local function countActive()
  local sum, size = 0, redis.call('LLEN', KEYS[5])
  -- In parts: arguments of one call have to fit onto the stack.
  for from = 0, size - 1, 1000 do
    local ids = redis.call('LRANGE', KEYS[5], from, from + 999)
    for _, isMember in ipairs(redis.call('SMISMEMBER', KEYS[2], unpack(ids))) do sum = sum + isMember end
  end
  return sum
end

local counts = redis.call('HMGET', KEYS[1], 'total', 'completed', 'removed', 'endedAt')
local function number(at) return tonumber(counts[at] or 0) end
local open = redis.call('SCARD', KEYS[2])
local ended = {redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4])}
return {number(1), number(2), number(3), number(4), open, ended[1], ended[2], open > 0 and countActive() or 0}
`);

/**
 * Takes a batch off the list of those that are looked after, unless a member has come or come back meanwhile.
 *
 * KEYS  1 list  2 open members
 * ARGV  1 batch
 */
export const leaveList = defineScript(`
if redis.call('SCARD', KEYS[2]) == 0 then return redis.call('SREM', KEYS[1], ARGV[1]) end
return 0
`);
