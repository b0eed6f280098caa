import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Forgets jobs that have ended, with all that belongs to them in their own keys. One that was retried meanwhile stays: it
 * counts only as long as it has the end that it was found with. Also works while the memory is full, as its first write takes away.
 *
 * KEYS  1 completed or failed  2 events
 * ARGV  1 key prefix of the queue  2 events kept, then for each job its id and its score
 * Returns the ids of the jobs that are gone.
 * Event  removed
 */
export const forgetEnded = defineScript(`${SETTLE_FUNCTIONS}
local base, gone = ARGV[1], {}

local function releaseDeduplication(id, name)
  local key = base .. 'de:' .. name
  if redis.call('GET', key) == id then redis.call('UNLINK', key, base .. 'dn:' .. name) end
end

for at = 3, #ARGV, 2 do
  local id = ARGV[at]
  local job, score = base .. id, redis.call('ZSCORE', KEYS[1], id)
  if score and tonumber(score) == tonumber(ARGV[at + 1]) then
    local deduplication, batch = redis.call('HGET', job, 'deid'), batchOf(job)
    -- Afterwards nobody could tell how it has ended.
    if batch then settleMembers(base, batch, {id}) end
    redis.call('ZREM', KEYS[1], id)
    if deduplication then releaseDeduplication(id, deduplication) end
    redis.call('UNLINK', job, job .. ':logs', job .. ':output', job .. ':steps', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'event', 'removed', 'jobId', id)
    gone[#gone + 1] = id
  end
end
return gone
`);
