import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Lets a parent that failed, or was cancelled, wait for its children again, where it has some that have not ended. It is a
 * child again itself where it is one of another job.
 *
 * KEYS  1 job  2 failed  3 waiting-children  4 events
 * ARGV  1 job id  2 events kept  3 now in ms  4 key prefix of the queue
 * Returns 1 it waits, 0 all children have completed: it can be retried as any job, -1 it has not failed,
 *         or the key of a child that failed it and was not retried.
 * Event  waiting-children
 */
export const blockAgain = defineScript(`${SETTLE_FUNCTIONS}
local job, id = KEYS[1], ARGV[1]
if not redis.call('ZSCORE', KEYS[2], id) then return -1 end
local failed = redis.call('ZRANGE', job .. ':unsuccessful', 0, 0)
if failed[1] then return failed[1] end
if redis.call('SCARD', job .. ':dependencies') == 0 then return 0 end
redis.call('ZREM', KEYS[2], id)
local batch = batchOf(job)
if batch then reopenMember(ARGV[4], batch, id) end
redis.call('HDEL', job, 'finishedOn', 'processedOn', 'failedReason', 'atm', 'stc', 'defa', 'cancel')
redis.call('ZADD', KEYS[3], ARGV[3], id)
local parent = redis.call('HGET', job, 'parentKey')
if parent and redis.call('EXISTS', parent) == 1 then
  if redis.call('ZREM', parent .. ':unsuccessful', job) + redis.call('HDEL', parent .. ':failed', job) > 0 then
    redis.call('SADD', parent .. ':dependencies', job)
  end
end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting-children', 'jobId', id, 'prev', 'failed')
return 1
`);
