import { HISTORY_FUNCTIONS } from '../engine/history.ts';
import { defineScript } from '../engine/script.ts';
import { SLOT_FREED_FUNCTION } from '../engine/wake-script.ts';

/**
 * Ends a failed attempt that is to be repeated: gives the lease back, records the attempt, and lets the job wait for its
 * next one, in one step with the event that says why and until when. The engine's own way says neither, keeps every stack
 * trace and knows no longest pause. It counts only while the attempt holds the lease, as a report does.
 *
 * KEYS  1 job  2 active  3 delayed  4 events  5 marker
 * ARGV  1 job id  2 token  3 attempt  4 now in ms  5 pause in ms  6 reason  7 events kept
 *       8 key prefix of the queue
 * Returns 1, or 0 where the lease is lost. A call that is sent again, because the answer to the first was lost, finds it gone.
 * Event  delayed, with the attempt that ended
 */
export const postponeJob = defineScript(`${HISTORY_FUNCTIONS}${SLOT_FREED_FUNCTION}
local job, id, now, pause = KEYS[1], ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('GET', job .. ':lock') ~= ARGV[2] or redis.call('HGET', job, 'ats') ~= ARGV[3] then return 0 end
if redis.call('LREM', KEYS[2], -1, id) == 0 then return 0 end
redis.call('DEL', job .. ':lock')

local ended = endAttempt(job, now, ARGV[6])
redis.call('HINCRBY', job, 'atm', 1)
redis.call('HSET', job, 'failedReason', ARGV[6], 'delay', ARGV[5])
-- It comes back at the end of the line, where its old number says nothing.
redis.call('HDEL', job, 'n')

-- As the engine scores: due time times 4096, plus a counter that keeps the order of those due at the same time.
local due = now + pause
local first, last = due * 4096, (due + 1) * 4096 - 1
local latest = redis.call('ZREVRANGEBYSCORE', KEYS[3], last, first, 'WITHSCORES', 'LIMIT', 0, 1)
local score = latest[2] and math.min(tonumber(latest[2]) + 1, last) or first
redis.call('ZADD', KEYS[3], string.format('%.0f', score), id)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'event', 'delayed', 'jobId', id, 'delay', string.format('%.0f', due), 'prev', 'active', 'ended', ended or '')

-- Idle workers sleep until the first delayed job is due.
local next = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
redis.call('ZADD', KEYS[5], string.format('%.0f', math.floor(tonumber(next[2]) / 4096)), '1')
slotFreed(ARGV[8])
return 1
`);
