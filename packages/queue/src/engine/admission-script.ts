import { CHILD_FUNCTIONS } from './child-script.ts';
import { EVENTS_KEPT, PARKED_SCORE } from './limits.ts';

/** Started jobs at the head of a tenant's list that one submit clears away: the next one goes on, so nobody waits for more. */
const CLEARED_MAX = 100;

/**
 * Lua function `admissionOf(base, text)`: decides in the step that stores a job whether its queue takes it. `text` is what
 * `meta` says of it: `depth` and `oldestWaitMs` {max, policy}, `tenants` and `groups` {depth, oldestWaitMs}. All numbers are read once a call
 * and cost the same at any length of the line. What it returns has
 *
 *   judge(priority, tenant, group)   'in', 'park', or why not: {limit, max, found, depth}. To make room for the job it may have
 *                                    ended another one, which has a lower priority
 *   judgeAll(count, tenant)          the same for jobs that come together or not at all: nothing, or why not
 *   hold(id, timestamp, tenant)      remembers a job that was taken, for its tenant's limit
 *
 * The head of the line has waited longest, but for jobs that entered at the front. A tenant's jobs that have not been started
 * are a set: a worker takes jobs by the engine's script, so what has started is taken out when it is looked at: at the
 * head here, everywhere by the workers' sweep. Until then it counts, so a limit is never exceeded.
 *
 * Function `park(base, id)` puts a job behind all others that are held back. Among the delayed ones they stand at a time that
 * no delay can reach, which keeps them from the engine.
 */
export const ADMISSION_FUNCTIONS = `${CHILD_FUNCTIONS}
local function park(base, id)
  local last = redis.call('ZREVRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')[2]
  local score = math.max(tonumber(last or 0) + 1, ${PARKED_SCORE})
  redis.call('ZADD', base .. 'delayed', string.format('%.0f', score), id)
end

local function parkedOf(base)
  return redis.call('ZCOUNT', base .. 'delayed', ${PARKED_SCORE}, '+inf')
end

local function lineOf(base)
  return redis.call('LLEN', base .. 'wait') + redis.call('ZCARD', base .. 'prioritized') + redis.call('ZCARD', base .. 'grouped')
end

local function redisNow()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Since when a job may start: it came, became due, was retried; of one that ran before, since that run began.
local function waitsSince(base, id, now)
  local known = id and redis.call('HMGET', base .. id, 'timestamp', 'opts', 'processedOn', 'ws') or {}
  if not known[1] then return now end
  local read, options = pcall(cjson.decode, known[2] or '{}')
  local delay = read and tonumber(options.delay) or 0
  return math.max(tonumber(known[1]) + delay, tonumber(known[3]) or 0, tonumber(known[4]) or 0)
end

local function oldestWait(base)
  local now = redisNow()
  local heads = {redis.call('LINDEX', base .. 'wait', -1), redis.call('ZRANGE', base .. 'prioritized', 0, 0)[1], redis.call('ZRANGE', base .. 'grouped', 0, 0)[1]}
  local since = now
  for at = 1, 3 do since = math.min(since, waitsSince(base, heads[at], now)) end
  return now - since
end

-- Ends a job that waits, as the engine's own scripts would.
local function shed(base, id, reason)
  local job, now = base .. id, redisNow()
  local dedupe = redis.call('HGET', job, 'deid')
  local key = dedupe and base .. 'de:' .. dedupe
  redis.call('ZREM', base .. 'prioritized', id)
  redis.call('HSET', job, 'failedReason', reason, 'finishedOn', now)
  redis.call('ZADD', base .. 'failed', now, id)
  if key and redis.call('PTTL', key) == -1 and redis.call('GET', key) == id then redis.call('DEL', key) end
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', ${EVENTS_KEPT}, '*', 'event', 'failed', 'jobId', id, 'failedReason', reason, 'prev', 'waiting')
  childFailed(job, reason, now)
end

local function hasStarted(base, id)
  local known = redis.call('HMGET', base .. id, 'name', 'ats', 'finishedOn')
  return not known[1] or known[3] or (tonumber(known[2]) or 0) > 0
end

local function admissionOf(base, text)
  local self, limits, waits, counted, waited = {}, cjson.decode(text), {}, nil, nil

  local function counts()
    counted = counted or {line = lineOf(base), parked = parkedOf(base)}
    return counted
  end

  local function refusal(limit, max, found)
    return {limit, max, found, counts().line + counts().parked}
  end

  local function clearHead(key)
    for _, id in ipairs(redis.call('ZRANGE', key, 0, ${CLEARED_MAX - 1})) do
      if not hasStarted(base, id) then break end
      redis.call('ZREM', key, id)
    end
  end

  local function held(key)
    if redis.call('ZCARD', key) >= limits.tenants.depth then clearHead(key) end
    return redis.call('ZCARD', key)
  end

  -- How long the first one has waited: of a tenant, the first that is not delayed.
  local function waitOfTenant(key)
    clearHead(key)
    local now = redisNow()
    for _, id in ipairs(redis.call('ZRANGE', key, 0, ${CLEARED_MAX - 1})) do
      local since = not hasStarted(base, id) and waitsSince(base, id, now)
      if since and since <= now then return now - since end
    end
    return 0
  end

  local function waitOfGroup(key)
    local now = redisNow()
    return now - waitsSince(base, redis.call('ZRANGE', key, 0, 0)[1], now)
  end

  -- What a call has read of a tenant or a group holds for all of their jobs in it.
  local function once(key, read)
    waits[key] = waits[key] or read(key)
    return waits[key]
  end

  -- The job that is dropped for one of this priority: the last of the lowest one. One that others stand for is left alone.
  local function makeRoom(priority, found)
    local last = redis.call('ZREVRANGE', base .. 'prioritized', 0, 0, 'WITHSCORES')
    if not last[1] or math.floor(last[2] / 0x100000000) <= priority then return false end
    local dedupe = redis.call('HGET', base .. last[1], 'deid')
    if dedupe and redis.call('EXISTS', base .. 'dn:' .. dedupe) == 1 then return false end
    shed(base, last[1], 'shed: expected room in the line, got ' .. found .. ' waiting jobs and one of a higher priority')
    counts().line = counts().line - 1
    return true
  end

  -- What each of the two limits says that hold for all jobs: nothing, or its policy and the numbers.
  local function exceeded(name)
    local limit = limits[name]
    if not limit then return nil end
    local found
    if name == 'oldestWaitMs' then
      waited = waited or oldestWait(base)
      if waited <= limit.max and not (limit.policy == 'park' and counts().parked > 0) then return nil end
      found = waited
    else
      local now = counts()
      -- Those that are held back come first, whatever room there is.
      found = now.line + now.parked
      if limit.policy == 'park' and now.parked == 0 then found = now.line end
      if found < limit.max and not (limit.policy == 'park' and now.parked > 0) then return nil end
    end
    return {policy = limit.policy or 'reject', why = refusal(name, limit.max, found)}
  end

  local function ofTenant(tenant, count)
    if not limits.tenants or not tenant then return nil end
    local key, depth, longest = base .. 'tenant:' .. tenant, limits.tenants.depth, limits.tenants.oldestWaitMs
    local found = depth and held(key) or 0
    if depth and found + count > depth then return refusal('tenants.depth', depth, found) end
    local wait = longest and once(key, waitOfTenant)
    if longest and wait > longest then return refusal('tenants.oldestWaitMs', longest, wait) end
  end

  local function ofGroup(group)
    if not limits.groups or not group then return nil end
    local depth, longest = limits.groups.depth, limits.groups.oldestWaitMs
    local found = depth and tonumber(redis.call('ZSCORE', base .. 'groups', group) or 0)
    if depth and found >= depth then return refusal('groups.depth', depth, found) end
    local wait = longest and once(base .. 'group:line:' .. group, waitOfGroup)
    if longest and wait > longest then return refusal('groups.oldestWaitMs', longest, wait) end
  end

  function self.judge(priority, tenant, group)
    local why = ofTenant(tenant, 1) or ofGroup(group)
    if why then return why end
    local over = {}
    for _, name in ipairs({'oldestWaitMs', 'depth'}) do
      local found = exceeded(name)
      if found then over[found.policy] = over[found.policy] or found.why end
    end
    if over.reject then return over.reject end
    if over.shed and not makeRoom(priority, over.shed[4]) then return over.shed end
    if over.park then
      counts().parked = counts().parked + 1
      return 'park'
    end
    if limits.depth then counts().line = counts().line + 1 end
    return 'in'
  end

  function self.judgeAll(count, tenant)
    local why = ofTenant(tenant, count)
    if why then return why end
    local depth = limits.depth
    if depth and counts().line + counts().parked + count > depth.max then return refusal('depth', depth.max, counts().line + counts().parked) end
    local late = exceeded('oldestWaitMs')
    return late and late.why
  end

  function self.hold(id, timestamp, tenant)
    if not limits.tenants or not tenant then return end
    redis.call('SADD', base .. 'tenants', tenant)
    redis.call('ZADD', base .. 'tenant:' .. tenant, timestamp, id)
  end

  return self
end
`;
