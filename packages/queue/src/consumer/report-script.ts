import { EVENTS_KEPT, LOG_LINES_KEPT, OUTPUT_CHUNKS_KEPT, OUTPUT_TTL_S } from '../engine/limits.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Lua function `writeReport(events, job, report)`, of the key of the events, the key of the job, and a report {id,
 * progress? (JSON text), lines [text], skipped, chunks [JSON text]}. Writes what it says, progress, numbered log lines and
 * numbered output chunks, with the event that tells watchers.
 * Skipped chunks in front of these were never sent: they have numbers, and nothing from before them is kept.
 * Events  progress (with data) where progress is reported, else report; both carry logFrom, log, outputFrom, output.
 */
export const WRITE_REPORT_FUNCTION = `
local function writeReport(events, job, report)
  local event = {'event', report.progress and 'progress' or 'report', 'jobId', report.id}
  local function tell(name, value)
    event[#event + 1] = name
    event[#event + 1] = value
  end
  local function append(list, counter, items, most)
    if redis.call('RPUSH', list, unpack(items)) > most then redis.call('LTRIM', list, -most, -1) end
    return redis.call('HINCRBY', job, counter, #items) - #items
  end
  if report.progress then
    redis.call('HSET', job, 'progress', report.progress)
    tell('data', report.progress)
  end
  if #report.lines > 0 then
    tell('logFrom', append(job .. ':logs', 'lc', report.lines, ${LOG_LINES_KEPT}))
    tell('log', cjson.encode(report.lines))
  end
  if report.skipped > 0 then
    redis.call('DEL', job .. ':output')
    redis.call('HINCRBY', job, 'oc', report.skipped)
  end
  if #report.chunks > 0 then
    tell('outputFrom', append(job .. ':output', 'oc', report.chunks, ${OUTPUT_CHUNKS_KEPT}))
    tell('output', '[' .. table.concat(report.chunks, ',') .. ']')
    redis.call('EXPIRE', job .. ':output', ${OUTPUT_TTL_S})
  end
  redis.call('XADD', events, 'MAXLEN', '~', ${EVENTS_KEPT}, '*', unpack(event))
end
`;

/**
 * Writes the reports of a tick in one step. A report counts only while its attempt holds the job's lease: the engine's own
 * `updateProgress` and `log` do not look, so a worker that lost its job could go on writing. The token alone does not tell,
 * because a worker keeps it from one job to the next, so a repeated job may have it again. And a report is written once: a
 * connection that was lost before the answer came sends it again.
 *
 * KEYS  1 events
 * ARGV  1 key prefix of the queue  2.. a report each as JSON, with {token, attempt, number} beside what is written
 * Returns 1 (written, now or before) or 0 (lease lost) for each.
 * Field `rs` of a job is the latest report that was written, `<attempt>:<number>`.
 */
export const writeReports = defineScript(`${WRITE_REPORT_FUNCTION}
local function report(given)
  local job = ARGV[1] .. given.id
  local known = redis.call('HMGET', job, 'ats', 'rs')
  if redis.call('GET', job .. ':lock') ~= given.token or tonumber(known[1]) ~= given.attempt then return 0 end
  local attempt, number = string.match(known[2] or '', '(%d+):(%d+)')
  if tonumber(attempt) ~= given.attempt or tonumber(number) < given.number then
    redis.call('HSET', job, 'rs', given.attempt .. ':' .. given.number)
    writeReport(KEYS[1], job, given)
  end
  return 1
end
local counts = {}
for at = 2, #ARGV do counts[at - 1] = report(cjson.decode(ARGV[at])) end
return counts
`);
