import { defineScript } from '../engine/script.ts';

/**
 * Puts a job that a stopping worker holds back to the front of its line, as if that start had never been: the engine's own
 * way leaves it counted, so that a job with one attempt would run as attempt 2. The numbers of reports go with the start,
 * because the next start has its number again. Two leases of a job still never share token and number: the next lease is
 * another worker's, as this one takes nothing more. What was logged and emitted stays.
 *
 * KEYS  1 events  2 active  3 wait  4 prioritized  5 stalled  6 meta  7 marker
 * ARGV  1 key prefix of the queue  2 events kept  3 job id  4 lease token
 * Returns 1 (handed back) or 0 (the lease is lost: the job is somebody else's, or has ended).
 * Field `n`, its number in line, says nothing at the front. Field `hb` says that the job was worth starting once, whatever its time to live.
 * Event  waiting, with the number of attempts that count
 */
export const handBackJob = defineScript(`
local job, id = ARGV[1] .. ARGV[3], ARGV[3]
if redis.call('GET', job .. ':lock') ~= ARGV[4] then return 0 end
if redis.call('LREM', KEYS[2], 1, id) == 0 then return 0 end
redis.call('DEL', job .. ':lock')
redis.call('SREM', KEYS[5], id)
redis.call('HDEL', job, 'rs', 'n')
redis.call('HSET', job, 'hb', 1)
local attempt = redis.call('HINCRBY', job, 'ats', -1)

-- The engine takes low scores first, and counts equal priorities up from 1.
local priority = tonumber(redis.call('HGET', job, 'priority')) or 0
if priority > 0 then redis.call('ZADD', KEYS[4], priority * 0x100000000, id)
else redis.call('RPUSH', KEYS[3], id) end

local queue = redis.call('HMGET', KEYS[6], 'paused', 'concurrency')
local isMaxed = queue[2] and redis.call('LLEN', KEYS[2]) >= tonumber(queue[2])
if not queue[1] and not isMaxed then redis.call('ZADD', KEYS[7], 0, '0') end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'prev', 'active', 'attempt', attempt)
return 1
`);
