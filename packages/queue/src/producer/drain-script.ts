import { CANCEL_FUNCTIONS } from '../engine/cancel-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Ends the next jobs of one line as cancelled, those first that would start first. What is kept back for a job's end under
 * its dedupe key waits too, and goes with it.
 *
 * The first write takes jobs out, which Redis permits when its memory is full, and with that what follows in the script.
 *
 * KEYS  1 wait, prioritized, delayed or grouped  2 to 6 as the cancel's, unused  7 failed  8 events
 * ARGV  1 'list', 'set' or 'groups'  2 mark as JSON {by, reason?, at}  3 now in ms  4 events kept  5 key prefix of the queue  6 most jobs
 * Returns how many left the line, and how many of them were cancelled: not those whose records are gone.
 * Event  failed, with the reason and the mark
 */
export const drainLine = defineScript(`${CANCEL_FUNCTIONS}
local groups

local function take()
  -- They leave when their groups are told.
  if ARGV[1] == 'groups' then return redis.call('ZRANGE', KEYS[1], 0, ARGV[6] - 1) end
  if ARGV[1] == 'list' then return redis.call('RPOP', KEYS[1], ARGV[6]) or {} end
  local ids, popped = {}, redis.call('ZPOPMIN', KEYS[1], ARGV[6])
  for at = 1, #popped, 2 do ids[#ids + 1] = popped[at] end
  return ids
end

local function leaveGroup(field, freed)
  groups = groups or groupsOf(ARGV[5])
  if groups.leave(field, id) == 0 then freed[#freed + 1] = id end
end

local taken, cancelled, freed = take(), 0, {}
for _, next in ipairs(taken) do
  job, id = ARGV[5] .. next, next
  if redis.call('EXISTS', job) == 1 then
    local known = redis.call('HMGET', job, 'cancel', 'deid', 'group')
    if known[2] then redis.call('DEL', ARGV[5] .. 'dn:' .. known[2]) end
    if known[3] then leaveGroup(known[3], freed) end
    finish(known[1] or ARGV[2], known[2])
    cancelled = cancelled + 1
  elseif ARGV[1] == 'groups' then
    redis.call('ZREM', KEYS[1], id)
  end
end
if groups then
  groups.release(freed)
  groups.pump()
end
return {#taken, cancelled}
`);
