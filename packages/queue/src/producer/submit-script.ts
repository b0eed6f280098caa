import { LABEL_FUNCTIONS } from '../engine/label-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Stores jobs that may start at once, all of one queue, and tells workers and watchers, in one step. It leaves behind what
 * the engine's own add leaves (a test holds the two against each other), but takes many jobs a call, which costs api and
 * Redis a fraction of one call each. A job that is there already is left alone: that is a submit sent twice by a
 * connection that was cut before the answer came. Jobs without labels pay nothing for those that have some.
 *
 * Under a claim, a job is also left alone where it was stored before and is gone by now; that is remembered in this step.
 *
 * KEYS  1 events  2 wait  3 meta  4 active  5 marker  [6 ids stored under the claim]
 * ARGV  1 key prefix of the queue  2 events kept  3 number of jobs, then five for each job: id, type, input, options,
 *       timestamp, then two for each labelled job: the place of its id in ARGV, labels as JSON
 *       [last: seconds for which the claim's ids are remembered]
 * Returns how many jobs were new.
 * Event  waiting, with the labels of a job that has some
 */
export const storeJobs = defineScript(`${LABEL_FUNCTIONS}
local last = 3 + 5 * tonumber(ARGV[3])
local claim, labels = KEYS[6], {}
for at = last + 1, #ARGV - (claim and 1 or 0), 2 do labels[tonumber(ARGV[at])] = ARGV[at + 1] end

-- Numbers of jobs in line, by which their places are told (rates/line-script.ts); those that are not used leave a gap.
local number = redis.call('INCRBY', ARGV[1] .. 'numbers', ARGV[3]) - ARGV[3]
local ids = {}
for at = 4, last, 5 do
  local id = ARGV[at]
  local job = ARGV[1] .. id
  if redis.call('EXISTS', job) == 0 and not (claim and redis.call('HSETNX', claim, id, '') == 0) then
    redis.call('HSET', job, 'name', ARGV[at + 1], 'data', ARGV[at + 2], 'opts', ARGV[at + 3], 'timestamp', ARGV[at + 4], 'delay', 0, 'priority', 0, 'n', number + #ids + 1)
    if labels[at] then
      label(ARGV[1], id, ARGV[at + 4], labels[at])
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'labels', labels[at])
    else
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id)
    end
    ids[#ids + 1] = id
  end
end
if #ids == 0 then return 0 end
if claim then redis.call('EXPIRE', claim, ARGV[#ARGV]) end
redis.call('LPUSH', KEYS[2], unpack(ids))
settleLabels(ARGV[1], 0)

-- Workers wait for the marker; a queue that is paused or at its limit gets it when that ends.
local limits = redis.call('HMGET', KEYS[3], 'paused', 'concurrency')
local full = limits[2] and redis.call('LLEN', KEYS[4]) >= tonumber(limits[2])
if not limits[1] and not full then redis.call('ZADD', KEYS[5], 0, '0') end
return #ids
`);
