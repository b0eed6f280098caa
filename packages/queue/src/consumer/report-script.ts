import { EVENTS_KEPT, LOG_LINES_KEPT, OUTPUT_CHUNKS_KEPT, OUTPUT_TTL_S } from '../engine/limits.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Lua function `report(events, base, text)`, of the key of the events, the key prefix of the queue and a report as JSON
 * {id, token, attempt, number, progress? (JSON text), lines [text], skipped, chunks [JSON text]}. Writes what it says,
 * progress, numbered log lines and numbered output chunks, with the event that tells watchers; returns whether it counts.
 * A report counts only while its attempt holds the job's lease: the engine's own `updateProgress` and `log` do not look,
 * so a worker that lost its job could go on writing. The token alone does not tell, because a worker keeps it from one job
 * to the next, so a repeated job may have it again. And a report is written once: a connection that was lost before the
 * answer came sends it again.
 * Skipped chunks in front of these were never sent: they have numbers, and nothing from before them is kept.
 * Field `rs` of a job is the latest report that was written, `<attempt>:<number>`.
 * Events  progress (with data) where progress is reported, else report; both carry logFrom, log, outputFrom, output.
 */
export const REPORT_FUNCTION = `
local function report(events, base, text)
  local given = cjson.decode(text)
  local job = base .. given.id

  local known = redis.call('HMGET', job, 'ats', 'rs')
  if redis.call('GET', job .. ':lock') ~= given.token or tonumber(known[1]) ~= given.attempt then return false end
  local attempt, number = string.match(known[2] or '', '(%d+):(%d+)')
  if tonumber(attempt) == given.attempt and tonumber(number) >= given.number then return true end

  local written = given.attempt .. ':' .. given.number
  local event = {'event', given.progress and 'progress' or 'report', 'jobId', given.id}
  local function tell(name, value)
    event[#event + 1] = name
    event[#event + 1] = value
  end
  local function append(list, counter, items, most)
    if redis.call('RPUSH', list, unpack(items)) > most then redis.call('LTRIM', list, -most, -1) end
    return redis.call('HINCRBY', job, counter, #items) - #items
  end
  if given.progress then
    redis.call('HSET', job, 'rs', written, 'progress', given.progress)
    tell('data', given.progress)
  else
    redis.call('HSET', job, 'rs', written)
  end
  if #given.lines > 0 then
    tell('logFrom', append(job .. ':logs', 'lc', given.lines, ${LOG_LINES_KEPT}))
    tell('log', cjson.encode(given.lines))
  end
  if given.skipped > 0 then
    redis.call('DEL', job .. ':output')
    redis.call('HINCRBY', job, 'oc', given.skipped)
  end
  if #given.chunks > 0 then
    tell('outputFrom', append(job .. ':output', 'oc', given.chunks, ${OUTPUT_CHUNKS_KEPT}))
    tell('output', '[' .. table.concat(given.chunks, ',') .. ']')
    redis.call('EXPIRE', job .. ':output', ${OUTPUT_TTL_S})
  end
  redis.call('XADD', events, 'MAXLEN', '~', ${EVENTS_KEPT}, '*', unpack(event))
  return true
end
`;

/**
 * Writes the reports of a tick in one step.
 *
 * KEYS  1 events
 * ARGV  1 key prefix of the queue  2.. a report each
 * Returns 1 (written, now or before) or 0 (lease lost) for each.
 */
export const writeReports = defineScript(`${REPORT_FUNCTION}
local counts = {}
for at = 2, #ARGV do counts[at - 1] = report(KEYS[1], ARGV[1], ARGV[at]) and 1 or 0 end
return counts
`);
