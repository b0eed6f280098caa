import { ADMISSION_FUNCTIONS } from '../engine/admission-script.ts';
import { LABEL_FUNCTIONS } from '../engine/label-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Stores all jobs of a flow, of whichever queues, in one step: parents wait for their children, children stand in their
 * lines. It leaves behind what the engine's own flow leaves (a test holds the two against each other) and two things more:
 * a parent's record names its children in their order (field `children`), which the engine keeps in a set, and every job is
 * filed under its labels. A flow whose first parent is there already was sent twice by a connection that was cut before
 * the answer came, and is left alone.
 *
 * KEYS  one for each queue: its events
 * ARGV  1 events kept  2 seconds of delay in all  3 number of queues, then the key prefix of each, then twelve for each job,
 *       parents before their children: number of its queue, id, type, input, options, timestamp, delay in ms, priority,
 *       labels as JSON, children as JSON or empty, key of its parent or empty, what the engine keeps of the parent as JSON
 * Returns how many jobs were new; or {number of a queue that does not take its jobs, and what the judge says}.
 * Events  waiting-children, waiting or delayed, with the labels
 */
export const storeFlow = defineScript(`${LABEL_FUNCTIONS}${ADMISSION_FUNCTIONS}
local kept, delayS, queues = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local from = 4 + queues
if redis.call('EXISTS', ARGV[3 + tonumber(ARGV[from])] .. ARGV[from + 1]) == 1 then return 0 end

local function tell(queue, id, labels, name, ...)
  redis.call('XADD', KEYS[queue], 'MAXLEN', '~', kept, '*', 'event', name, 'jobId', id, 'labels', labels, ...)
end

-- How many of the jobs come to stand in the line of each queue now.
local arriving, admissions = {}, {}
for at = from, #ARGV, 12 do
  local queue = tonumber(ARGV[at])
  if ARGV[at + 9] == '' and tonumber(ARGV[at + 6]) == 0 then arriving[queue] = (arriving[queue] or 0) + 1 end
end
for queue, count in pairs(arriving) do
  local limits = redis.call('HGET', ARGV[3 + queue] .. 'meta', 'admission')
  if limits then
    admissions[queue] = admissionOf(ARGV[3 + queue], limits)
    local why = admissions[queue].judgeAll(count, cjson.decode(ARGV[from + 8]).tenant)
    if why then return {queue, unpack(why)} end
  end
end

local lines, marked, members = {}, {}, {}
for at = from, #ARGV, 12 do
  local queue, id, timestamp, delay, priority = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 5], tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  local labels, children, parent = ARGV[at + 8], ARGV[at + 9], ARGV[at + 10]
  local base = ARGV[3 + queue]
  local job = base .. id
  redis.call('HSET', job, 'name', ARGV[at + 2], 'data', ARGV[at + 3], 'opts', ARGV[at + 4], 'timestamp', timestamp, 'delay', delay, 'priority', priority)
  if parent ~= '' then
    redis.call('HSET', job, 'parentKey', parent, 'parent', ARGV[at + 11])
    redis.call('SADD', parent .. ':dependencies', job)
  end
  members[queue] = members[queue] or {}
  table.insert(members[queue], {id, timestamp, labels})
  if children ~= '' then
    redis.call('HSET', job, 'children', children)
    redis.call('ZADD', base .. 'waiting-children', timestamp, id)
    tell(queue, id, labels, 'waiting-children')
  elseif delay > 0 then
    -- The engine scores by the due time and a counter below it, so that jobs of one millisecond keep their order.
    local due = tonumber(timestamp) + delay
    redis.call('ZADD', base .. 'delayed', due * 0x1000 + (at - from) / 12, id)
    tell(queue, id, labels, 'delayed', 'delay', due)
    marked[queue] = marked[queue] or 'delayed'
  else
    if priority > 0 then
      local place = redis.call('INCR', base .. 'pc') % 0x100000000
      redis.call('ZADD', base .. 'prioritized', priority * 0x100000000 + place, id)
    else
      lines[queue] = lines[queue] or {}
      table.insert(lines[queue], id)
      redis.call('HSET', job, 'n', redis.call('INCR', base .. 'numbers'))
    end
    tell(queue, id, labels, 'waiting')
    if admissions[queue] then admissions[queue].hold(id, timestamp, cjson.decode(labels).tenant, priority) end
    marked[queue] = 'waiting'
  end
end

for queue, ids in pairs(lines) do redis.call('LPUSH', ARGV[3 + queue] .. 'wait', unpack(ids)) end

-- Workers wait for the marker; a queue that is paused or at its limit gets it when that ends.
for queue, what in pairs(marked) do
  local base = ARGV[3 + queue]
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', base .. 'marker', tonumber(first[2]) / 0x1000, '1') end
  local limits = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', base .. 'active') >= tonumber(limits[2])
  if what == 'waiting' and not limits[1] and not full then redis.call('ZADD', base .. 'marker', 0, '0') end
end

for queue, jobs in pairs(members) do
  local base = ARGV[3 + queue]
  filed = {}
  for _, job in ipairs(jobs) do label(base, job[1], job[2], job[3]) end
  settleLabels(base, delayS)
end
return (#ARGV - from + 1) / 12
`);
