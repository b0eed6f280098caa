import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { HISTORY_FUNCTIONS } from '../engine/history.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Gives failed and cancelled jobs of one queue all their attempts again and puts them in line, in one step with the
 * events. What ended them stays in their history. A job of a flow is left alone: there
 * is more to do than this.
 *
 * KEYS  1 failed  2 completed  3 active  4 wait  5 prioritized  6 counter of priorities  7 events  8 meta  9 marker
 * ARGV  1 key prefix of the queue  2 events kept  3 now in ms, then the ids
 * Returns for each id 1 done, 2 it waits already, 3 it is one of a flow, 0 no such job, -1 a worker runs it,
 *         -2 it completed.
 * Fields  n: its number in line  ws: since when it waits
 * Event  waiting, with how many attempts the job has now
 */
export const retryEnded = defineScript(`${HISTORY_FUNCTIONS}${SETTLE_FUNCTIONS}${GROUP_FUNCTIONS}
local base, inLine, groups = ARGV[1], false, nil

local function found(job, id)
  if redis.call('EXISTS', job) == 0 then return 0 end
  if redis.call('ZSCORE', KEYS[2], id) then return -2 end
  if redis.call('ZSCORE', KEYS[1], id) then return (redis.call('HEXISTS', job, 'parentKey') == 1 or redis.call('HEXISTS', job, 'children') == 1) and 3 or 1 end
  if redis.call('EXISTS', job .. ':lock') == 1 then return -1 end
  return 2
end

local function retry(job, id)
  local known = redis.call('HMGET', job, 'finishedOn', 'failedReason', 'priority', 'opts', 'ats', 'group')
  endAttempt(job, known[1] or 0, known[2] or '')
  redis.call('ZREM', KEYS[1], id)
  local batch = batchOf(job)
  if batch then reopenMember(base, batch, id) end
  redis.call('HDEL', job, 'finishedOn', 'processedOn', 'failedReason', 'atm', 'stc', 'defa', 'cancel')
  redis.call('HSET', job, 'ws', ARGV[3], 'n', redis.call('INCR', base .. 'numbers'))
  local priority = tonumber(known[3]) or 0
  if known[6] then
    groups = groups or groupsOf(base)
    groups.rejoin(known[6], id)
  elseif priority == 0 then
    redis.call('LPUSH', KEYS[4], id)
  else
    redis.call('ZADD', KEYS[5], string.format('%.0f', priority * 4294967296 + redis.call('INCR', KEYS[6]) % 4294967296), id)
  end
  -- Not decoded: the decoder stops at half a character, which a tag may hold. Quotes inside of texts are escaped.
  local given = tonumber(string.match(known[4] or '', '"attempts":(%d+)')) or 1
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', ARGV[2], '*', 'event', 'waiting', 'jobId', id, 'prev', 'failed', 'attempts', given + tonumber(known[5] or 0))
  inLine = true
end

local answers = {}
for at = 4, #ARGV do
  local job = base .. ARGV[at]
  local answer = found(job, ARGV[at])
  if answer == 1 then retry(job, ARGV[at]) end
  answers[#answers + 1] = answer
end

if groups then groups.pump() end
if inLine then
  -- Workers wait for the marker; a queue that is paused or at its limit gets it when that ends.
  local limits = redis.call('HMGET', KEYS[8], 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', KEYS[3]) >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', KEYS[9], 0, '0') end
end
return answers
`);
