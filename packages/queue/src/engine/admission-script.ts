import { CHILD_FUNCTIONS } from './child-script.ts';
import { EVENTS_KEPT, HELD_SCORE, PARKED_SCORE } from './limits.ts';

/** Started jobs at the head of a tenant's list that one submit clears away: the next one goes on, so nobody waits for more. */
const CLEARED_MAX = 100;

/**
 * Lua function `admissionOf(base, text, groups)`: decides in the step that stores a job whether its queue takes it. `text` is
 * what `meta` says of it: `depth` and `oldestWaitMs` {max, policy}, `tenants` and `groups` {depth, oldestWaitMs, policy}; `groups`
 * is what `groupsOf` returned, where the job has one. All numbers are read once a call and cost the same at any length of the
 * line. What it returns has
 *
 *   judge(priority, tenant, group)   'in'; 'park', and for whose room the job waits: a scope, or nothing for the queue's; or
 *                                    why not: {limit, max, found, depth}. To make room for the job it may have ended others,
 *                                    which have a lower priority
 *   judgeAll(count, tenant)          the same for jobs that come together or not at all: nothing, or why not
 *   hold(id, timestamp, tenant, priority, scope)   remembers a job that was taken, for its tenant's limit; `priority` of one
 *                                    that may be dropped for another, or nil; `scope` as `judge` said, where it is parked
 *   scopeOf(kind, name)              a tenant or a group that has a limit, else nil; roomOf(scope) how many jobs it has room for
 *   grow(scope)                      counts one more job in its line
 *
 * A scope is 'tenants:' or 'groups:' and a name. The head of the line has waited longest, but for jobs that entered at the
 * front. A tenant's jobs that have not been started are a set: a worker takes jobs by the engine's script, so what has started
 * is taken out when it is looked at: at the head here, everywhere by the workers' sweep. Until then it counts, so a limit is
 * never exceeded.
 *
 * Function `park(base, id, scope)` puts a job behind all others that are held back for want of the same room. Among the delayed
 * ones they stand at a time that no delay can reach, which keeps them from the engine: those that wait for the queue first,
 * then those that wait for a tenant or a group, which have lines of their own beside (`held:<scope>`; `held` has the scopes, in
 * the order in which they are looked at).
 */
export const ADMISSION_FUNCTIONS = `${CHILD_FUNCTIONS}
local function park(base, id, scope)
  local first, last = ${PARKED_SCORE}, ${HELD_SCORE - 1}
  if scope then first, last = ${HELD_SCORE}, '+inf' end
  local before = redis.call('ZREVRANGEBYSCORE', base .. 'delayed', last, first, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local score = string.format('%.0f', before and before + 1 or first)
  redis.call('ZADD', base .. 'delayed', score, id)
  if not scope then return end
  redis.call('ZADD', base .. 'held:' .. scope, score, id)
  redis.call('ZADD', base .. 'held', 'NX', score, scope)
end

-- For the queue's own room, and for a tenant's or a group's.
local function parkedOf(base)
  return redis.call('ZCOUNT', base .. 'delayed', ${PARKED_SCORE}, ${HELD_SCORE - 1})
end

local function heldOf(base)
  return redis.call('ZCOUNT', base .. 'delayed', ${HELD_SCORE}, '+inf')
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
local function shed(base, id, reason, groups)
  local job, now = base .. id, redisNow()
  local known = redis.call('HMGET', job, 'deid', 'group')
  local key = known[1] and base .. 'de:' .. known[1]
  if known[2] then groups.leave(known[2], id) else redis.call('ZREM', base .. 'prioritized', id) end
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

-- Takes a job out of what is remembered of its tenant's.
local function letGoOf(base, tenant, id)
  redis.call('ZREM', base .. 'tenant:' .. tenant, id)
  redis.call('ZREM', base .. 'droppable:' .. tenant, id)
end

local function admissionOf(base, text, groups)
  local self, limits, scopes, counted, waited = {}, cjson.decode(text), {}, nil, nil

  local function counts()
    counted = counted or {line = lineOf(base), parked = parkedOf(base), held = heldOf(base)}
    return counted
  end

  local function waiting()
    return counts().line + counts().parked + counts().held
  end

  local function refusal(limit, max, found)
    return {limit, max, found, waiting()}
  end

  local function clearHead(tenant)
    for _, id in ipairs(redis.call('ZRANGE', base .. 'tenant:' .. tenant, 0, ${CLEARED_MAX - 1})) do
      if not hasStarted(base, id) then break end
      letGoOf(base, tenant, id)
    end
  end

  local function countOfTenant(tenant, depth)
    local key = base .. 'tenant:' .. tenant
    if redis.call('ZCARD', key) >= depth then clearHead(tenant) end
    return redis.call('ZCARD', key)
  end

  -- How long the first one has waited: of a tenant, the first that is not delayed.
  local function waitOfTenant(tenant)
    clearHead(tenant)
    local now = redisNow()
    for _, id in ipairs(redis.call('ZRANGE', base .. 'tenant:' .. tenant, 0, ${CLEARED_MAX - 1})) do
      local since = not hasStarted(base, id) and waitsSince(base, id, now)
      if since and since <= now then return now - since end
    end
    return 0
  end

  local function countOfGroup(group)
    return tonumber(redis.call('ZSCORE', base .. 'groups', group) or 0)
  end

  local function waitOfGroup(group)
    local now = redisNow()
    return now - waitsSince(base, redis.call('ZRANGE', base .. 'group:line:' .. group, 0, 0)[1], now)
  end

  -- One that others stand for is left alone.
  local function mayDrop(id)
    local dedupe = redis.call('HGET', base .. id, 'deid')
    return not (dedupe and redis.call('EXISTS', base .. 'dn:' .. dedupe) == 1)
  end

  -- The job that is dropped for one of this priority: the last of the lowest one, of the queue, a group or a tenant.
  local function lastOf(line, priority)
    local last = redis.call('ZREVRANGE', line, 0, 0, 'WITHSCORES')
    return last[1] and math.floor(last[2] / 0x100000000) > priority and mayDrop(last[1]) and last[1]
  end

  -- One that is held back stands in no line, and can make no room.
  local function lastOfTenant(tenant, priority)
    local last = redis.call('ZREVRANGE', base .. 'droppable:' .. tenant, 0, ${CLEARED_MAX - 1}, 'WITHSCORES')
    for at = 1, #last, 2 do
      if tonumber(last[at + 1]) <= priority then return nil end
      if hasStarted(base, last[at]) then letGoOf(base, tenant, last[at])
      elseif redis.call('ZSCORE', base .. 'prioritized', last[at]) and mayDrop(last[at]) then return last[at] end
    end
  end

  local KINDS = {
    tenants = {count = countOfTenant, wait = waitOfTenant, last = lastOfTenant},
    groups = {count = countOfGroup, wait = waitOfGroup, last = function(group, priority) return lastOf(base .. 'group:line:' .. group, priority) end},
  }

  -- What a call has read of a tenant or a group holds for all of their jobs in it.
  function self.scopeOf(kind, name)
    local limit = limits[kind]
    if not limit or not name then return nil end
    local key = kind .. ':' .. name
    if not scopes[key] then
      scopes[key] = {
        key = key, kind = kind, name = name, limit = limit, policy = limit.policy or 'reject',
        count = limit.depth and KINDS[kind].count(name, limit.depth) or 0,
        waited = limit.oldestWaitMs and KINDS[kind].wait(name) or 0,
        holdsBack = limit.policy == 'park' and redis.call('EXISTS', base .. 'held:' .. key) == 1,
      }
    end
    return scopes[key]
  end

  function self.grow(scope)
    if scope then scope.count = scope.count + 1 end
  end

  function self.roomOf(scope)
    local depth, longest = scope.limit.depth, scope.limit.oldestWaitMs
    if longest and scope.waited > longest then return 0 end
    return depth and math.max(0, depth - scope.count) or math.huge
  end

  local function exceededOf(scope, count)
    local depth, longest = scope.limit.depth, scope.limit.oldestWaitMs
    if depth and scope.count + count > depth then return refusal(scope.kind .. '.depth', depth, scope.count) end
    if longest and scope.waited > longest then return refusal(scope.kind .. '.oldestWaitMs', longest, scope.waited) end
    return nil
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
      -- Those that are held back come first, whatever room there is.
      found = waiting()
      if limit.policy == 'park' and counts().parked == 0 then found = counts().line end
      if found < limit.max and not (limit.policy == 'park' and counts().parked > 0) then return nil end
    end
    return {policy = limit.policy or 'reject', why = refusal(name, limit.max, found)}
  end

  local function exceededByPolicy()
    local over = {}
    for _, name in ipairs({'oldestWaitMs', 'depth'}) do
      local found = exceeded(name)
      if found then over[found.policy] = over[found.policy] or found.why end
    end
    return over
  end

  -- Makes room in all lines that are full, or in none. What a tenant or a group gives up is room in the queue as well.
  local function makeRoom(full, over, priority)
    if over.shed and not full[1] then full = {{why = over.shed}} end
    for _, each in ipairs(full) do
      local scope = each.scope
      each.last = scope and KINDS[scope.kind].last(scope.name, priority) or not scope and lastOf(base .. 'prioritized', priority)
      if not each.last then return each.why end
    end
    for _, each in ipairs(full) do
      local found = each.scope and each.why[3] or each.why[4]
      shed(base, each.last, 'shed: expected room in the line, got ' .. found .. ' waiting jobs and one of a higher priority', groups)
      counts().line = counts().line - 1
      if each.scope then each.scope.count = each.scope.count - 1 end
      if each.scope and each.scope.kind == 'tenants' then letGoOf(base, each.scope.name, each.last) end
    end
  end

  function self.judge(priority, tenant, group)
    local asked, full, waitsFor = {}, {}, nil
    asked[#asked + 1] = self.scopeOf('tenants', tenant)
    asked[#asked + 1] = self.scopeOf('groups', group)
    for _, scope in ipairs(asked) do
      local why = exceededOf(scope, 1)
      if why and scope.policy == 'reject' then return why end
      if why and scope.policy == 'shed' then full[#full + 1] = {scope = scope, why = why} end
      if scope.policy == 'park' and (why or scope.holdsBack) then waitsFor = waitsFor or scope end
    end
    local over = exceededByPolicy()
    if over.reject then return over.reject end
    local why = makeRoom(full, over, priority)
    if why then return why end
    if waitsFor then
      waitsFor.holdsBack = true
      counts().held = counts().held + 1
      -- Whoever waits for room in its group has a place among its tenant's.
      if waitsFor.kind == 'groups' then self.grow(scopes['tenants:' .. (tenant or '')]) end
      return 'park', waitsFor.key
    end
    self.grow(scopes['tenants:' .. (tenant or '')])
    if over.park then
      counts().parked = counts().parked + 1
      return 'park'
    end
    self.grow(scopes['groups:' .. (group or '')])
    if limits.depth then counts().line = counts().line + 1 end
    return 'in'
  end

  function self.judgeAll(count, tenant)
    local scope = self.scopeOf('tenants', tenant)
    local why = scope and exceededOf(scope, count)
    if why then return why end
    local depth = limits.depth
    if depth and waiting() + count > depth.max then return refusal('depth', depth.max, waiting()) end
    local late = exceeded('oldestWaitMs')
    return late and late.why
  end

  function self.hold(id, timestamp, tenant, priority, scope)
    if not limits.tenants or not tenant or scope == 'tenants:' .. tenant then return end
    redis.call('SADD', base .. 'tenants', tenant)
    redis.call('ZADD', base .. 'tenant:' .. tenant, timestamp, id)
    if priority and priority > 0 and limits.tenants.policy == 'shed' then redis.call('ZADD', base .. 'droppable:' .. tenant, priority, id) end
  end

  return self
end
`;
