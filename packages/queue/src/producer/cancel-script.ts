import { defineScript } from '../engine/script.ts';

/**
 * Ends a job that no worker runs: takes it out of whichever line it stands in, files it among the failed with its reason
 * and appends the event, in one step. A job that a worker holds, or that has ended, is left as it is.
 *
 * KEYS  1 job  2 wait  3 prioritized  4 delayed  5 failed  6 events
 * ARGV  1 job id  2 reason  3 now in ms  4 events kept
 * Returns 1 cancelled, 0 no such job, -1 a worker runs it, -2 it has ended, -3 it waits for children.
 * Event  failed (with the reason), as the engine's own scripts write it.
 */
export const cancelWaiting = defineScript(`
local job, id = KEYS[1], ARGV[1]
if redis.call('EXISTS', job) == 0 then return 0 end
if redis.call('EXISTS', job .. ':lock') == 1 then return -1 end
if redis.call('HEXISTS', job, 'finishedOn') == 1 then return -2 end
local taken = redis.call('ZREM', KEYS[4], id) + redis.call('ZREM', KEYS[3], id)
if taken == 0 then taken = redis.call('LREM', KEYS[2], 0, id) end
if taken == 0 then
  -- Neither in a line nor finished: a worker took it a moment ago, or it waits for its children.
  if redis.call('HEXISTS', job, 'processedOn') == 1 then return -1 end
  return -3
end
redis.call('HSET', job, 'failedReason', ARGV[2], 'finishedOn', ARGV[3])
redis.call('ZADD', KEYS[5], ARGV[3], id)
redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[4], '*', 'event', 'failed', 'jobId', id, 'failedReason', ARGV[2], 'prev', 'waiting')
return 1
`);
