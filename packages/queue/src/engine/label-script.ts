import { JOIN_FUNCTION, SETTLE_FUNCTIONS } from './batch-script.ts';
import { LABEL_TTL_S, TENANT_JOBS_KEPT } from './limits.ts';
import { defineScript } from './script.ts';

/**
 * Lua functions that file jobs under their labels, and make those of a batch its members: `label(base, id, timestamp, json)` for each job, then once
 * `settleLabels(base, extraSeconds)`, which writes: jobs of one call that share a label share its ZADD and its expiry.
 * `json` is the text that goes into the event too: {tags?, batch?, tenant?, schedule?}.
 */
export const LABEL_FUNCTIONS = `${JOIN_FUNCTION}
local decoded, filed = {}, {}
local function label(base, id, timestamp, json)
  local labels = decoded[json] or cjson.decode(json)
  decoded[json] = labels
  local function add(kind, value)
    local key = base .. 'label:' .. kind .. ':' .. value
    local entries = filed[key] or {kind = kind, value = value}
    filed[key] = entries
    entries[#entries + 1] = timestamp
    entries[#entries + 1] = id
  end
  for _, tag in ipairs(labels.tags or {}) do add('tag', tag) end
  if labels.batch then add('batch', labels.batch) end
  if labels.tenant then add('tenant', labels.tenant) end
  if labels.schedule then add('schedule', labels.schedule) end
end

local function settleLabels(base, extraSeconds)
  if not next(filed) then return end
  local seconds = ${LABEL_TTL_S} + extraSeconds
  local function prolong(key)
    if redis.call('TTL', key) < seconds then redis.call('EXPIRE', key, seconds) end
  end
  for key, entries in pairs(filed) do
    redis.call('ZADD', key, unpack(entries))
    if entries.kind == 'tenant' then redis.call('ZREMRANGEBYRANK', key, 0, -${TENANT_JOBS_KEPT + 1}) end
    prolong(key)
    if entries.kind == 'batch' then joinBatch(base, entries.value, entries, seconds) end
  end
  local known = redis.call('TTL', base .. 'labelled')
  if known < seconds then redis.call('SET', base .. 'labelled', 1, 'EX', seconds) end
end
`;

/**
 * Takes the jobs that are about to be forgotten out of the indexes. A queue without labels pays for one EXISTS.
 *
 * KEYS  1 the mark of labels  2 sorted set of ended jobs
 * ARGV  1 key prefix of the queue  2 newest end in ms  3 most jobs
 * Returns how many entries were taken out.
 */
export const dropLabels = defineScript(`${SETTLE_FUNCTIONS}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local dropped = 0
local function drop(id, kind, value)
  dropped = dropped + redis.call('ZREM', ARGV[1] .. 'label:' .. kind .. ':' .. value, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])) do
  local text = redis.call('HGET', ARGV[1] .. id, 'opts')
  local read, options = pcall(cjson.decode, text or '{}')
  if read and type(options) == 'table' then
    if type(options.tags) == 'table' then
      for _, tag in ipairs(options.tags) do drop(id, 'tag', tag) end
    end
    if options.batch then
      -- Afterwards nobody could tell how it has ended.
      settleMembers(ARGV[1], options.batch, {id})
      drop(id, 'batch', options.batch)
    end
    if options.tenant then drop(id, 'tenant', options.tenant) end
    if options.schedule then drop(id, 'schedule', options.schedule) end
  end
end
return dropped
`);

/**
 * Takes ids out of one index whose jobs are gone, looking once more so that a job that has come meanwhile stays.
 *
 * KEYS  1 index
 * ARGV  1 key prefix of the queue, then the ids
 */
export const dropGone = defineScript(`
for at = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ARGV[at]) == 0 then redis.call('ZREM', KEYS[1], ARGV[at]) end
end
return 1
`);
