import { CHILD_FUNCTIONS } from '../engine/child-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Ends a job that no worker runs: takes it out of whichever line it stands in, files it among the failed with its reason
 * and appends the event, in one step. Where it has a parent, that learns of it in the same step. A job that a worker holds,
 * or that has ended, is left as it is.
 *
 * As a command it is also remembered in the same step: the answer stands under the command's key, so a repeat is told the
 * same and changes nothing. Effect and answer are both there or both not, whenever the caller's process dies.
 *
 * KEYS  1 job  2 wait  3 prioritized  4 delayed  5 failed  6 events  7 waiting-children  [8 command]
 * ARGV  1 job id  2 reason  3 now in ms  4 events kept  [5 what the command says  6 seconds that it is remembered]
 * Returns 1 cancelled, 2 it was cancelled before, 0 no such job, -1 a worker runs it, -2 it has ended otherwise,
 *         -4 the command was given before and said something else.
 * Event  failed (with the reason), as the engine's own scripts write it.
 */
export const cancelWaiting = defineScript(`${CHILD_FUNCTIONS}
local job, id, command = KEYS[1], ARGV[1], KEYS[8]

local function cancel()
  if redis.call('EXISTS', job) == 0 then return 0 end
  if redis.call('EXISTS', job .. ':lock') == 1 then return -1 end
  if redis.call('HEXISTS', job, 'finishedOn') == 1 then
    local reason = redis.call('HGET', job, 'failedReason') or ''
    return string.sub(reason, 1, 11) == 'cancelled: ' and 2 or -2
  end
  local taken = redis.call('ZREM', KEYS[4], id) + redis.call('ZREM', KEYS[3], id) + redis.call('ZREM', KEYS[7], id)
  if taken == 0 then taken = redis.call('LREM', KEYS[2], 0, id) end
  -- Neither in a line nor finished: a worker took it a moment ago.
  if taken == 0 then return -1 end
  redis.call('HSET', job, 'failedReason', ARGV[2], 'finishedOn', ARGV[3])
  redis.call('ZADD', KEYS[5], ARGV[3], id)
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[4], '*', 'event', 'failed', 'jobId', id, 'failedReason', ARGV[2], 'prev', 'waiting')
  -- A parent whose child failed it a moment ago carries that along, and would be failed by it after a retry.
  redis.call('HDEL', job, 'defa')
  childFailed(job, ARGV[2], ARGV[3])
  return 1
end

if not command then return cancel() end
local given = redis.call('HMGET', command, 'says', 'answer')
if given[1] then return given[1] == ARGV[5] and tonumber(given[2]) or -4 end
local answer = cancel()
-- Of a job that is not there nothing is remembered: made-up ids must not fill the memory.
if answer ~= 0 then
  redis.call('HSET', command, 'says', ARGV[5], 'answer', answer)
  redis.call('EXPIRE', command, ARGV[6])
end
return answer
`);
