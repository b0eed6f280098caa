import { defineScript } from '../engine/script.ts';

/** Seconds that are kept apart: several times what a rate looks back, and 3 KB a queue. */
export const SECONDS_KEPT = 60;
/**
 * How many of the latest runs the mean run time stands for, about: enough that chance makes a tenth of it, few enough that
 * a queue whose jobs have changed is known anew within seconds.
 */
const RUNS_REMEMBERED = 200;
/** The run time of a nightly job is worth knowing in the next night. */
const KEPT_S = 172_800;

/**
 * Adds counts to the present second of a queue. Seconds are those of Redis, so that the clocks of workers need not agree.
 *
 * KEYS  1 rates
 * ARGV  the counts, in the order of COUNTED (3 ends, 4 and 5 sum and squares of their run times)
 * Fields  0..59 `<second>,<counts…>`  runs `<number>,<sum>,<squares>` of the latest runs  since: the first second
 */
export const addCountsScript = defineScript(`
local second = redis.call('TIME')[1]
local function numbers(field)
  local found = {}
  for number in string.gmatch(redis.call('HGET', KEYS[1], field) or '', '[^,]+') do found[#found + 1] = number end
  return found
end
local function write(field, values) redis.call('HSET', KEYS[1], field, table.concat(values, ',')) end
local function text(number) return string.format('%.3f', number) end

local field = second % ${SECONDS_KEPT}
local held = numbers(field)
local known = held[1] == second
local sums = {second}
for at, count in ipairs(ARGV) do sums[at + 1] = text((known and held[at + 1] or 0) + count) end
write(field, sums)

if tonumber(ARGV[3]) > 0 then
  local runs = numbers('runs')
  local number = (runs[1] or 0) + ARGV[3]
  local keep = math.min(1, ${RUNS_REMEMBERED} / number)
  write('runs', {text(number * keep), text(((runs[2] or 0) + ARGV[4]) * keep), text(((runs[3] or 0) + ARGV[5]) * keep)})
end
redis.call('HSETNX', KEYS[1], 'since', second)
redis.call('EXPIRE', KEYS[1], ${KEPT_S})
`);
