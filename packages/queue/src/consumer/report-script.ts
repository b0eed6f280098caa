import { defineScript } from '../engine/script.ts';

/**
 * Writes what running jobs report: progress, numbered log lines and numbered output chunks, with the event that tells
 * watchers, in one step for all reports of a tick. A report counts only while its attempt holds the job's lease: the
 * engine's own `updateProgress` and `log` do not look, so a worker that lost its job could go on writing. The token alone
 * does not tell, because a worker keeps it from one job to the next, so a repeated job may have it again. And a report
 * counts once: a connection that was lost before the answer came sends it again.
 *
 * KEYS  1 events
 * ARGV  1 key prefix of the queue  2 events kept  3 lines kept  4 chunks kept  5 seconds that output is kept
 *       6 reports as JSON [{id, token, attempt, number, progress? (JSON text), lines [text], skipped, chunks [JSON text]}]
 * Skipped chunks in front of these were never sent: they have numbers, and nothing from before them is kept.
 * Returns 1 (written, now or before) or 0 (lease lost) for each report.
 * Field `rs` of a job is the latest report that was written, `<attempt>:<number>`.
 * Events  progress (with data) where progress is reported, else report; both carry logFrom, log, outputFrom, output.
 */
export const writeReports = defineScript(`
local base, kept = ARGV[1], ARGV[2]
local written = {}

local function append(list, counter, job, items, most)
  redis.call('RPUSH', list, unpack(items))
  redis.call('LTRIM', list, -tonumber(most), -1)
  return redis.call('HINCRBY', job, counter, #items) - #items
end

local function repeated(latest, report)
  local attempt, number = string.match(latest or '', '(%d+):(%d+)')
  return tonumber(attempt) == report.attempt and tonumber(number) >= report.number
end

for index, report in ipairs(cjson.decode(ARGV[6])) do
  local job = base .. report.id
  local known = redis.call('HMGET', job, 'ats', 'rs')
  if redis.call('GET', job .. ':lock') ~= report.token or tonumber(known[1]) ~= report.attempt then
    written[index] = 0
  elseif repeated(known[2], report) then
    written[index] = 1
  else
    redis.call('HSET', job, 'rs', report.attempt .. ':' .. report.number)
    local event = {'event', report.progress and 'progress' or 'report', 'jobId', report.id}
    local function add(name, value)
      event[#event + 1] = name
      event[#event + 1] = value
    end
    if report.progress then
      redis.call('HSET', job, 'progress', report.progress)
      add('data', report.progress)
    end
    if #report.lines > 0 then
      add('logFrom', append(job .. ':logs', 'lc', job, report.lines, ARGV[3]))
      add('log', cjson.encode(report.lines))
    end
    if report.skipped > 0 then
      redis.call('DEL', job .. ':output')
      redis.call('HINCRBY', job, 'oc', report.skipped)
    end
    if #report.chunks > 0 then
      add('outputFrom', append(job .. ':output', 'oc', job, report.chunks, ARGV[4]))
      add('output', '[' .. table.concat(report.chunks, ',') .. ']')
      redis.call('EXPIRE', job .. ':output', ARGV[5])
    end
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', kept, '*', unpack(event))
    written[index] = 1
  end
end
return written
`);
