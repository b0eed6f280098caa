import { ADMISSION_FUNCTIONS } from '../engine/admission-script.ts';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { HELD_SCORE, PARKED_SCORE } from '../engine/limits.ts';
import { defineScript } from '../engine/script.ts';
import { WAKE_FUNCTION } from '../engine/wake-script.ts';

/** Tenants and groups with jobs held back that one call looks at; the next one goes on with the others. */
export const SCOPES_LOOKED_AT = 20;

/**
 * Lets jobs into the line that are held back, first come first, as far as there is room; all of them once the limits are
 * gone. First those that wait for the queue's room, then those that wait for their tenant's or their group's, by turns. A
 * job passes its tenant, its group and the queue, and where one of them has no room it is held back anew. A queue that holds
 * none back pays for one look at the end of a sorted set, and one for a key that is not there.
 *
 * KEYS  1 delayed  2 meta  3 events  4 wait  5 tenants and groups with jobs held back
 * ARGV  1 key prefix of the queue  2 events kept  3 most jobs
 * Returns {how many are held back still, how many were moved, tenants and groups among which they are}, or -1 where there were none.
 * Field  n: its number in line
 * Event  waiting
 */
export const letIn = defineScript(`${ADMISSION_FUNCTIONS}${GROUP_FUNCTIONS}${WAKE_FUNCTION}
local base, most = ARGV[1], tonumber(ARGV[3])
local parked = parkedOf(base)
if parked == 0 and redis.call('EXISTS', KEYS[5]) == 0 then return -1 end

local text = redis.call('HGET', KEYS[2], 'admission') or '{}'
local limits, groups, moved, entered = cjson.decode(text), groupsOf(base), 0, 0
local admission, line = admissionOf(base, text, groups), lineOf(base)
-- An empty line is late for nobody.
local isLate = limits.oldestWaitMs and line > 0 and oldestWait(base) > limits.oldestWaitMs.max

local function isHeldBack()
  local depth, longest = limits.depth or {}, limits.oldestWaitMs or {}
  if depth.policy == 'park' and (parked > 0 or line + entered >= depth.max) then return true end
  return longest.policy == 'park' and (parked > 0 or isLate)
end

local function enter(id, known, scope)
  local priority = tonumber(known[2]) or 0
  if known[3] then
    groups.join(known[3], id)
    admission.grow(scope)
  elseif priority > 0 then
    redis.call('ZADD', base .. 'prioritized', string.format('%.0f', priority * 0x100000000 + redis.call('INCR', base .. 'pc') % 0x100000000), id)
  else
    redis.call('LPUSH', KEYS[4], id)
    redis.call('HSET', base .. id, 'n', redis.call('INCR', base .. 'numbers'))
  end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
  entered = entered + 1
end

-- Moves a job on that no longer has to wait for one of these: 'tenants', 'groups' or 'queue'.
local function moveOn(id, passed, tenant)
  redis.call('ZREM', KEYS[1], id)
  moved = moved + 1
  local known = redis.call('HMGET', base .. id, 'name', 'priority', 'group', 'timestamp')
  if not known[1] then return end
  if tenant then
    admission.grow(admission.scopeOf('tenants', tenant))
    admission.hold(id, known[4], tenant, not known[3] and tonumber(known[2]))
  end
  local group = known[3] and admission.scopeOf('groups', string.match(known[3], '^%d+:(.*)$'))
  if group and passed ~= 'groups' and (group.holdsBack or admission.roomOf(group) < 1) then
    group.holdsBack = true
    return park(base, id, group.key)
  end
  if passed ~= 'queue' and isHeldBack() then
    parked = parked + 1
    return park(base, id)
  end
  enter(id, known, group)
end

local room = isLate and 0 or math.min(most, parked)
if limits.depth then room = math.min(room, limits.depth.max - line) end
if room > 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ${PARKED_SCORE}, ${HELD_SCORE - 1}, 'LIMIT', 0, room)) do
    parked = parked - 1
    moveOn(id, 'queue')
  end
end

-- Those that ended meanwhile, or stand elsewhere by now, go on the way and take nobody's place.
local function letInOf(key)
  local held, kind, name = base .. 'held:' .. key, string.match(key, '^(%a+):(.*)$')
  local scope = admission.scopeOf(kind, name)
  local places = scope and admission.roomOf(scope) or math.huge
  for _ = 1, most do
    local id = redis.call('ZRANGE', held, 0, 0)[1]
    local isHeld = id and tonumber(redis.call('ZSCORE', KEYS[1], id) or 0) >= ${HELD_SCORE}
    if not id or isHeld and (places < 1 or moved >= most) then break end
    redis.call('ZREM', held, id)
    if isHeld then
      places = places - 1
      moveOn(id, kind, kind == 'tenants' and name)
    end
  end
  if redis.call('EXISTS', held) == 0 then return redis.call('ZREM', KEYS[5], key) end
  redis.call('ZADD', KEYS[5], redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] + 1, key)
end

for _ = 1, math.min(${SCOPES_LOOKED_AT}, redis.call('ZCARD', KEYS[5])) do
  local key = redis.call('ZRANGE', KEYS[5], 0, 0)[1]
  if not key or moved >= most then break end
  letInOf(key)
end

if entered > 0 then
  groups.pump()
  wake(base)
end
return {parkedOf(base) + heldOf(base), moved, redis.call('ZCARD', KEYS[5])}
`);

/**
 * Takes jobs that have been started, or are gone, out of the list of a tenant's jobs that were not: those in its middle, which
 * no submit looks at.
 *
 * KEYS  1 the tenant's jobs  2 tenants that have some
 * ARGV  1 key prefix of the queue  2 the tenant  3 where to begin  4 how many
 * Returns where to go on, or 0 at the end.
 */
export const clearStarted = defineScript(`${ADMISSION_FUNCTIONS}
local scanned = redis.call('ZSCAN', KEYS[1], ARGV[3], 'COUNT', ARGV[4])
for at = 1, #scanned[2], 2 do
  if hasStarted(ARGV[1], scanned[2][at]) then letGoOf(ARGV[1], ARGV[2], scanned[2][at]) end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[2])
  redis.call('DEL', ARGV[1] .. 'droppable:' .. ARGV[2])
end
return tonumber(scanned[1])
`);
