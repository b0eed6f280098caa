import { ADMISSION_FUNCTIONS } from '../engine/admission-script.ts';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { LABEL_FUNCTIONS } from '../engine/label-script.ts';
import { defineScript, type Script } from '../engine/script.ts';

/**
 * Stores jobs that may start at once, all of one queue, and tells workers and watchers, in one step. It leaves behind what
 * the engine's own add leaves (a test holds the two against each other), but takes many jobs a call, which costs api and
 * Redis a fraction of one call each. A job that is there already is left alone: that is a submit sent twice by a
 * connection that was cut before the answer came. Jobs without labels pay nothing for those that have some.
 *
 * Under a claim, a job is also left alone where it was stored before and is gone by now; that is remembered in this step.
 *
 * Jobs with a group go into their groups' lines instead, and queues that limit what they take judge each job first, by
 * scripts of their own: the others pay nothing for it.
 *
 * KEYS  1 events  2 wait  3 meta  4 active  5 marker  [6 ids stored under the claim]
 * ARGV  1 key prefix of the queue  2 events kept  3 number of jobs, then for each job: id, type, input, options,
 *       timestamp, and what its record says of its group where it has one, then two for each labelled job: the place of its id in ARGV, labels as JSON
 *       [last: seconds for which the claim's ids are remembered]
 * Returns how many jobs were new, or -1 where the queue limits what it takes: nothing is done then. The scripts for such queues
 *         return {jobs that were new, 1 or 0 (the queue has no limits any more), then five for each job that did not go into line: its number, and
 *         what the judge says of it, or 'park' and zeros}.
 * Event  waiting, or delayed for one that is held back, with the labels of a job that has some
 */
function storeScript({ line, isLimited }: { line: Line; isLimited: boolean }): Script {
  const { functions = '', argsEach = ARGS_EACH, fields = '', group = 'nil', groups = 'nil', priority = '0' } = line;
  const { each, lineUp } = line;
  const part = isLimited ? limitedPart({ argsEach, group, groups, priority }) : UNLIMITED;
  const numbers = line.isNumbered ? part.numbers : NO_NUMBERS;
  return defineScript(`${LABEL_FUNCTIONS}${functions}${part.functions}
local last = 3 + ${argsEach} * tonumber(ARGV[3])
local claim, labels = KEYS[6], {}
for at = last + 1, #ARGV - (claim and 1 or 0), 2 do labels[tonumber(ARGV[at])] = ARGV[at + 1] end
-- Before all else: what is refused must leave nothing behind.
local limits = redis.call('HMGET', KEYS[3], 'paused', 'concurrency', 'admission')
${part.begin}
${numbers.begin}
local stored, ids = 0, {}
for at = 4, last, ${argsEach} do
  local id = ARGV[at]
  local job = ARGV[1] .. id
  if redis.call('EXISTS', job) == 0 and ${part.isTaken} then
    redis.call('HSET', job, 'name', ARGV[at + 1], 'data', ARGV[at + 2], 'opts', ARGV[at + 3], 'timestamp', ARGV[at + 4], 'delay', 0, 'priority', 0${numbers.field}${fields})
    if labels[at] then
      label(ARGV[1], id, ARGV[at + 4], labels[at])
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', ${part.event}, 'jobId', id, 'labels', labels[at])
    else
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'event', ${part.event}, 'jobId', id)
    end
    stored = stored + 1
    ${part.enter(each)}
  end
end
if stored == 0 then return ${part.answer} end
if claim then redis.call('EXPIRE', claim, ARGV[#ARGV]) end
settleLabels(ARGV[1], 0)
${lineUp}
return ${part.answer}
`);
}

/** Arguments of a job without a group. */
const ARGS_EACH = 5;

/** The line that jobs go into. */
interface Line {
  functions?: string;
  argsEach?: number;
  /** Of the record, beside those of every job. */
  fields?: string;
  isNumbered?: true;
  /** Lua for the name of a job's group, for what `groupsOf` returned, and for its priority. */
  group?: string;
  groups?: string;
  priority?: string;
  each: string;
  lineUp: string;
}

/** Jobs in line have numbers, by which their places are told (rates/places.ts). */
interface Numbers {
  begin: string;
  field: string;
}

const NO_NUMBERS: Numbers = { begin: '', field: '' };

/** What a script does beside in a queue that limits what it takes, or does not. */
interface Part {
  functions: string;
  begin: string;
  numbers: Numbers;
  isTaken: string;
  event: string;
  enter: (each: string) => string;
  answer: string;
}

const UNLIMITED: Part = {
  functions: '',
  begin: 'if limits[3] then return -1 end',
  // Those that are not used leave a gap.
  numbers: {
    begin: `local number = redis.call('INCRBY', ARGV[1] .. 'numbers', ARGV[3]) - ARGV[3]`,
    field: `, 'n', number + stored + 1`,
  },
  isTaken: `not (claim and redis.call('HSETNX', claim, id, '') == 0)`,
  event: `'waiting'`,
  enter: (each) => each,
  answer: 'stored',
};

type Judged = Pick<Required<Line>, 'argsEach' | 'group' | 'groups' | 'priority'>;

function limitedPart({ argsEach, group, groups, priority }: Judged): Part {
  return {
    functions: ADMISSION_FUNCTIONS,
    begin: `
local answer, admission, parked = {0, limits[3] and 1 or 0}, limits[3] and admissionOf(ARGV[1], limits[3], ${groups}), {}
local function isTaken(at, id)
  if claim and redis.call('HEXISTS', claim, id) == 1 then return false end
  if admission then
    local tenant = labels[at] and cjson.decode(labels[at]).tenant
    local verdict, scope = admission.judge(${priority}, tenant, ${group})
    if type(verdict) == 'table' then
      answer[#answer + 1] = (at - 4) / ${argsEach}
      for _, part in ipairs(verdict) do answer[#answer + 1] = part end
      return false
    end
    if verdict == 'park' then
      parked[id] = scope or 'queue'
      for _, part in ipairs({(at - 4) / ${argsEach}, 'park', 0, 0, 0}) do answer[#answer + 1] = part end
    end
    admission.hold(id, ARGV[at + 4], tenant, nil, scope)
  end
  if claim then redis.call('HSET', claim, id, '') end
  return true
end`,
    isTaken: 'isTaken(at, id)',
    // One by one: many may be refused, and a gap for each of them would be long.
    numbers: { begin: '', field: `, 'n', redis.call('INCR', ARGV[1] .. 'numbers')` },
    event: `parked[id] and 'delayed' or 'waiting'`,
    enter: (each) => `answer[1] = stored
    if parked[id] then park(ARGV[1], id, parked[id] ~= 'queue' and parked[id]) else ${each} end`,
    answer: 'answer',
  };
}

const PLAIN: Line = {
  isNumbered: true,
  each: 'ids[#ids + 1] = id',
  lineUp: `
if #ids > 0 then
  redis.call('LPUSH', KEYS[2], unpack(ids))
  -- Workers wait for the marker; a queue that is paused or at its limit gets it when that ends.
  local full = limits[2] and redis.call('LLEN', KEYS[4]) >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', KEYS[5], 0, '0') end
end`,
};

const GROUPED: Line = {
  functions: `${GROUP_FUNCTIONS}
local groups = groupsOf(ARGV[1])`,
  argsEach: ARGS_EACH + 1,
  fields: `, 'group', ARGV[at + 5]`,
  group: `string.match(ARGV[at + 5], '^%d+:(.*)$')`,
  groups: 'groups',
  priority: `tonumber(string.match(ARGV[at + 5], '^%d+'))`,
  each: 'groups.join(ARGV[at + 5], id)',
  lineUp: 'groups.pump()',
};

/** By whether jobs have a group, and whether their queue limits what it takes. */
export const STORE_SCRIPTS = {
  plain: {
    unlimited: storeScript({ line: PLAIN, isLimited: false }),
    limited: storeScript({ line: PLAIN, isLimited: true }),
  },
  grouped: {
    unlimited: storeScript({ line: GROUPED, isLimited: false }),
    limited: storeScript({ line: GROUPED, isLimited: true }),
  },
};
