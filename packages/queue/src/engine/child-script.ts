/**
 * Lua function `childFailed(job, reason, timestamp)`, for scripts that end a job as failed without the engine: it tells the
 * job's parent, where it has one, as the engine does for a job that a worker failed. A parent that needs this child goes
 * into its line with the failure noted (`defa`), where the next worker fails it without running it; one that can do without
 * goes there once no child is left. Nothing happens to a parent that waits no longer. `job` is the job's key.
 *
 * The parent may be in another queue, so this works on one Redis and not across the slots of a cluster.
 */
export const CHILD_FUNCTIONS = `
local function release(base, key, id, timestamp)
  local known = redis.call('HMGET', key, 'priority', 'delay')
  local priority, delay = tonumber(known[1]) or 0, tonumber(known[2]) or 0
  if delay > 0 then
    local due = tonumber(timestamp) + delay
    redis.call('ZADD', base .. 'delayed', due * 0x1000, id)
    redis.call('XADD', base .. 'events', '*', 'event', 'delayed', 'jobId', id, 'delay', due)
    local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
    redis.call('ZADD', base .. 'marker', tonumber(first[2]) / 0x1000, '1')
    return
  end
  if priority > 0 then
    local place = redis.call('INCR', base .. 'pc') % 0x100000000
    redis.call('ZADD', base .. 'prioritized', priority * 0x100000000 + place, id)
  else
    redis.call('RPUSH', base .. 'wait', id)
  end
  redis.call('XADD', base .. 'events', '*', 'event', 'waiting', 'jobId', id, 'prev', 'waiting-children')
  local limits = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', base .. 'active') >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', base .. 'marker', 0, '0') end
end

local function childFailed(job, reason, timestamp)
  local text = redis.call('HGET', job, 'parent')
  if not text then return end
  local parent = cjson.decode(text)
  local base = parent.queueKey .. ':'
  local key = base .. parent.id
  if redis.call('SREM', key .. ':dependencies', job) == 0 then return end
  if parent.fpof then
    redis.call('ZADD', key .. ':unsuccessful', timestamp, job)
  else
    redis.call('HSET', key .. ':failed', job, reason)
    if redis.call('SCARD', key .. ':dependencies') > 0 then return end
  end
  if redis.call('ZREM', base .. 'waiting-children', parent.id) == 0 then return end
  if parent.fpof then redis.call('HSET', key, 'defa', 'child ' .. job .. ' failed', 'delay', 0) end
  release(base, key, parent.id, timestamp)
end
`;
