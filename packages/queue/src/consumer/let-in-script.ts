import { ADMISSION_FUNCTIONS } from '../engine/admission-script.ts';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { PARKED_SCORE } from '../engine/limits.ts';
import { defineScript } from '../engine/script.ts';
import { WAKE_FUNCTION } from '../engine/wake-script.ts';

/**
 * Lets jobs into the line that are held back, first come first, as far as the queue's limits leave room; all of them once the
 * limits are gone. A queue that holds none back pays for one look at the end of a sorted set.
 *
 * KEYS  1 delayed  2 meta  3 events  4 wait
 * ARGV  1 key prefix of the queue  2 events kept  3 most jobs
 * Returns how many are held back still, or -1 where there were none.
 * Field  n: its number in line
 * Event  waiting
 */
export const letIn = defineScript(`${ADMISSION_FUNCTIONS}${GROUP_FUNCTIONS}${WAKE_FUNCTION}
local base = ARGV[1]
local parked = parkedOf(base)
if parked == 0 then return -1 end

local limits = cjson.decode(redis.call('HGET', KEYS[2], 'admission') or '{}')
local line = lineOf(base)
local room = math.min(tonumber(ARGV[3]), parked)
if limits.depth then room = math.min(room, limits.depth.max - line) end
-- An empty line is late for nobody.
if limits.oldestWaitMs and line > 0 and oldestWait(base) > limits.oldestWaitMs.max then room = 0 end
if room <= 0 then return parked end

local groups
local function enter(id)
  local known = redis.call('HMGET', base .. id, 'name', 'priority', 'group')
  if not known[1] then return end
  local priority = tonumber(known[2]) or 0
  if known[3] then
    groups = groups or groupsOf(base)
    groups.join(known[3], id)
  elseif priority > 0 then
    redis.call('ZADD', base .. 'prioritized', string.format('%.0f', priority * 0x100000000 + redis.call('INCR', base .. 'pc') % 0x100000000), id)
  else
    redis.call('LPUSH', KEYS[4], id)
    redis.call('HSET', base .. id, 'n', redis.call('INCR', base .. 'numbers'))
  end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ${PARKED_SCORE}, '+inf', 'LIMIT', 0, room)) do
  redis.call('ZREM', KEYS[1], id)
  enter(id)
end
if groups then groups.pump() end
wake(base)
return parked - room
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
  if hasStarted(ARGV[1], scanned[2][at]) then redis.call('ZREM', KEYS[1], scanned[2][at]) end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[2]) end
return tonumber(scanned[1])
`);
