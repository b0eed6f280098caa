import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Lets a job start that came into the main line without its group having let it go: it was delayed, retried, kept back by
 * its dedupe key or part of a flow, and the engine brought it there. Where it is not its group's turn, it goes into the
 * group's line as if that start had never been, as a hand-back does. No report or renewal of that start can come
 * later, though the same worker may take the job again under the same token and number: none was begun.
 *
 * KEYS  1 events  2 active  3 stalled
 * ARGV  1 key prefix of the queue  2 events kept  3 job id  4 lease token  5 what the record says of the group
 * Returns 1 (it may start) or 0 (it is in line, or the lease is lost).
 * Event  waiting, with the number of attempts that count
 */
export const claimSlot = defineScript(`${GROUP_FUNCTIONS}
local id, field = ARGV[3], ARGV[5]
local job, groups = ARGV[1] .. id, groupsOf(ARGV[1])
if redis.call('GET', job .. ':lock') ~= ARGV[4] then return 0 end
-- One that the engine, or a flow, stored does not have it yet.
redis.call('HSET', job, 'group', field)
if groups.claim(field, id) then return 1 end
if redis.call('LREM', KEYS[2], 1, id) == 0 then return 0 end
redis.call('DEL', job .. ':lock')
redis.call('SREM', KEYS[3], id)
redis.call('HDEL', job, 'rs')
local attempt = redis.call('HINCRBY', job, 'ats', -1)
groups.rejoin(field, id)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'prev', 'active', 'attempt', attempt)
groups.pump()
return 0
`);
