import { engineScripts } from '@spillway/bullmq';
import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { LINE_FUNCTIONS } from '../engine/line-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Forgets a job through the engine's own script, which is a function here, as one step with what its batch counts it as: how
 * it has ended can be told before, and that it is gone without an end only afterwards. The engine's script would go through
 * the whole plain line for a job that stands there, so the job is moved to where it is found at once.
 *
 * KEYS  the engine's (1 job  2 schedulers), then  3 wait  4 prioritized  5 delayed  6 waiting-children  7 completed  8 failed
 *       9 active  10 lock
 * ARGV  the engine's (1 job id  2 '0': leave the children  3 key prefix of the queue), then
 *       4 its place in the plain line, or ''
 * Returns 1 done, 0 a worker runs it, -5 nothing is done: its place has to be looked for; else what the engine says.
 * Event  removed
 */
export const forgetJob = defineScript(`${LINE_FUNCTIONS}${SETTLE_FUNCTIONS}
local function engineRemove(KEYS, ARGV)
${engineScripts.removeJob.content}
end

local function isInLine(id)
  for at = 4, 8 do
    if redis.call('ZSCORE', KEYS[at], id) then return false end
  end
  return not redis.call('LPOS', KEYS[9], id)
end

local id, base, batch = ARGV[1], ARGV[3], batchOf(KEYS[1])
if redis.call('EXISTS', KEYS[10]) == 1 then return 0 end
if isInLine(id) then
  local taken = takeFromLine(KEYS[3], id, ARGV[4])
  if taken == nil then return -5 end
  if taken == 1 then redis.call('ZADD', KEYS[4], 0, id) end
end
if batch then settleMembers(base, batch, {id}) end
local removed = engineRemove({KEYS[1], KEYS[2]}, {id, ARGV[2], base})
if batch then settleMembers(base, batch, {id}) end
return removed
`);
