import { engineScripts, engineVersion, type Redis } from '@spillway/bullmq';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { opening } from '../engine/groups.ts';
import { defineScript } from '../engine/script.ts';
import { isPassing } from '../engine/unavailable.ts';
import { WRITE_REPORT_FUNCTION } from './report-script.ts';
import type { LastReport } from './reports.ts';

/** The engine looks for its script under this name, and defines it where it is missing. */
const COMMAND = `moveToFinished:${engineVersion}`;
/** Of the engine's keys, those that are the same for all jobs of a queue: from the front, and the marker behind the three of the job. */
const SHARED_KEYS = 10;
const JOB_KEYS = 3;
/** id, timestamp, property, value, target, whether to fetch the next job, key prefix, options, fields to update. */
const ENGINE_ARGS = 9;
/** The job's last report stands behind them. */
const JOB_ARGS = ENGINE_ARGS + 1;

/**
 * Ends in one call at most. Each takes Redis some 50 µs, and while it works on one call the process makes the next: with
 * all fifty of a full worker in one call the two took turns instead, and were slower than one by one.
 */
const TOGETHER_MAX = 8;

/** Before this line the engine's script defines functions, which is done once for all jobs of a call. */
const MAIN = 'local jobIdKey = KEYS[12]';
const { moveToFinished } = engineScripts;

const [functions = '', main] = moveToFinished.content.split(MAIN);
if (main === undefined) throw new Error(`expected the engine's moveToFinished to have the line "${MAIN}", got none`);
if (!functions.includes('local function fetchNextJob('))
  throw new Error(`expected the engine's moveToFinished to define fetchNextJob, got no such function`);
/** Here the engine has seen that the lease is the worker's, and has written nothing yet. */
const LEASE_SEEN = 'updateJobFields(jobIdKey, ARGV[9]);';
const [check, end, ...more] = main.split(LEASE_SEEN);
if (end === undefined || more.length > 0)
  throw new Error(`expected the engine's moveToFinished to have the line "${LEASE_SEEN}" once`);

const ENGINE = `
${WRITE_REPORT_FUNCTION}
${functions}
local function messageOf(trouble)
  return type(trouble) == 'table' and trouble.err or tostring(trouble)
end
-- What it has left to report goes before the end of a job. Where that cannot be written the job ends all the same.
local troubles = {}
local function reportLast(KEYS, ARGV)
  if ARGV[10] == '' then return end
  local done, trouble = pcall(writeReport, KEYS[4], KEYS[12], cjson.decode(ARGV[10]))
  if not done then troubles[ARGV[1]] = messageOf(trouble) end
end
-- What the engine packs for a job is asked for twice here.
local unpacked = {}
local cmsgpack = {unpack = function(text)
  unpacked[text] = unpacked[text] or cmsgpack.unpack(text)
  return unpacked[text]
end}
-- An end finds nothing to fetch more often than not, and need not look in six places for it. And the engine marks the line
-- with each job that it takes, so that others come for the next one: not where there is none.
local engineFetch = fetchNextJob
fetchNextJob = function(wait, active, prioritized, events, limiter, delayed, meta, counter, marker, ...)
  if rcall('EXISTS', wait, prioritized, delayed) == 0 then return nil end
  local answer = engineFetch(wait, active, prioritized, events, limiter, delayed, meta, counter, marker, ...)
  if answer and answer[1] ~= 0 and rcall('EXISTS', wait, prioritized) == 0 then rcall('ZREM', marker, '0') end
  return answer
end
local function engineEnd(KEYS, ARGV)
${MAIN}${check}
reportLast(KEYS, ARGV)
${LEASE_SEEN}${end}
end

local keys = {unpack(KEYS, 1, ${SHARED_KEYS})}
keys[14] = KEYS[11]
local function keysOf(args)
  local base, id, target = args[7], args[1], args[5]
  keys[11], keys[12], keys[13] = base .. target, base .. id, base .. 'metrics:' .. target
  return keys
end

local answers = {}
local function note(args, done, answer)
  answers[#answers + 1] = {done and 1 or 0, done and answer or messageOf(answer), troubles[args[1]]}
end
`;

/**
 * Ends several jobs of one queue, each by the engine's own script, which is a function here: what fails for one job is
 * its own answer and nothing to the others. Each also fetches the next job, as the engine has it. What is left to report
 * of a job is written in this one step, where its end counts: nothing overtakes it, an end that is sent again does not
 * write it again, and who reads the events gets both at once.
 *
 * KEYS  the engine's 1 to 10, then the marker
 * ARGV  the engine's 1 to 9 for each job, and a report as JSON (WRITE_REPORT_FUNCTION) or ''
 * Returns {1, answer} or {0, error} for each, and behind it why the report could not be written, if so.
 */
const endScript = defineScript(`${ENGINE}
for at = 1, #ARGV, ${JOB_ARGS} do
  local args = {unpack(ARGV, at, at + ${JOB_ARGS - 1})}
  note(args, pcall(engineEnd, keysOf(args), args))
end
return answers
`);

/**
 * The same where jobs with a group are among them. First all end, then their slots are given back and the next jobs are let
 * go, and only then does each fetch its next: so it finds one also where groups are at their caps, and the main line does not
 * run dry between two calls.
 *
 * Returns ms until the next window opens, or -1, behind the answers.
 */
const endGroupedScript = defineScript(`${ENGINE}${GROUP_FUNCTIONS}
local groups, ended, all = groupsOf(ARGV[7]), {}, {}
for at = 1, #ARGV, ${JOB_ARGS} do
  local args = {unpack(ARGV, at, at + ${JOB_ARGS - 1})}
  local mayFetch = args[6]
  args[6] = '0'
  local done, answer = pcall(engineEnd, keysOf(args), args)
  local isEnded = done and answer == 0
  if isEnded then ended[#ended + 1] = args[1] end
  args[6] = isEnded and mayFetch
  all[#all + 1] = {args, done, answer}
end
groups.finish(ended)
local opening = groups.pump()

-- As the engine does behind its end of a job.
local function fetch(args)
  return fetchNextJob(keys[1], keys[2], keys[3], keys[4], keys[6], keys[7], keys[9], keys[10], keys[14], args[7], args[2], cmsgpack.unpack(args[8])) or 0
end
for _, one in ipairs(all) do
  local args, done, answer = one[1], one[2], one[3]
  if args[6] == '1' then done, answer = pcall(fetch, args) end
  note(args, done, answer)
end
answers[#answers + 1] = opening
return answers
`);

type Argument = string | number | Buffer | undefined;
type Answer = [done: 1, answer: unknown, trouble?: string] | [done: 0, error: string, trouble?: string];

interface End {
  id: string;
  resolve: (answer: unknown) => void;
  reject: (error: unknown) => void;
}

interface Ends {
  keys: string[];
  args: (string | number | Buffer)[];
  done: End[];
  /** Where one of the jobs has a group. */
  onOpening: OnOpening | undefined;
}

/** Hears in how many ms a group may start again that has used up its window; undefined where none has. */
export type OnOpening = (opensInMs: number | undefined) => void;

/** What ends take along, by the jobs' ids. */
export interface Luggage {
  /** Jobs whose ends give back a slot of a group, until they end or are left alone. */
  grouped: Map<string, OnOpening>;
  /** What the jobs have left to report, until Redis has answered: an end whose answer was lost is sent again with it. */
  reports: Map<string, LastReport>;
}

const known = new WeakMap<Redis, Luggage>();

/**
 * Has the engine's workers on this connection end the jobs of one turn of the event loop together. One by one, an end is
 * 30 arguments to encode, a system call to send them and another for Redis to read them: half of what a short job costs.
 * To be called before the first worker is made; a second call changes nothing and returns the same.
 */
export function endTogether(redis: Redis): Luggage {
  const luggage = known.get(redis) ?? { grouped: new Map(), reports: new Map() };
  if (!known.has(redis)) Object.assign(redis, { [COMMAND]: gatherEnds(redis, luggage) });
  known.set(redis, luggage);
  return luggage;
}

function gatherEnds(redis: Redis, luggage: Luggage): (given: Argument[]) => Promise<unknown> {
  const { grouped, reports } = luggage;
  const gathered = new Map<string, Ends>();

  function open(queue: string, keys: readonly string[]): Ends {
    const ends: Ends = {
      keys: [...keys.slice(0, SHARED_KEYS), keys[SHARED_KEYS + JOB_KEYS] as string],
      args: [],
      done: [],
      onOpening: undefined,
    };
    gathered.set(queue, ends);
    process.nextTick(() => close(queue, ends));
    return ends;
  }

  function close(queue: string, ends: Ends): void {
    if (gathered.get(queue) !== ends) return;
    gathered.delete(queue);
    void send(redis, ends, luggage);
  }

  function addTo(ends: Ends, id: string, given: Argument[]): void {
    for (let at = 0; at < ENGINE_ARGS; at += 1) ends.args.push(given[moveToFinished.keys + at] ?? '');
    ends.args.push(reports.get(id)?.text ?? '');
    ends.onOpening ??= grouped.get(id);
    grouped.delete(id);
  }

  return (given) => {
    const keys = given.slice(0, moveToFinished.keys) as string[];
    const [queue = ''] = keys;
    const id = String(given[moveToFinished.keys]);
    const ends = gathered.get(queue) ?? open(queue, keys);
    addTo(ends, id, given);
    return new Promise((resolve, reject) => {
      ends.done.push({ id, resolve, reject });
      if (ends.done.length === TOGETHER_MAX) close(queue, ends);
    });
  };
}

async function send(redis: Redis, { keys, args, done, onOpening }: Ends, { reports }: Luggage): Promise<void> {
  try {
    const script = onOpening ? endGroupedScript : endScript;
    const answers = (await script(redis, keys, args)) as Answer[];
    for (const [index, end] of done.entries()) {
      settle(end, answers[index] as Answer, reports.get(end.id));
      reports.delete(end.id);
    }
    onOpening?.(opening(answers[done.length]));
  } catch (error) {
    const isTriedAgain = error instanceof Error && isPassing(error);
    for (const { id, reject } of done) {
      if (!isTriedAgain) reports.delete(id);
      reject(error);
    }
  }
}

function settle({ resolve, reject }: End, [isDone, answer, trouble]: Answer, last: LastReport | undefined): void {
  if (trouble) last?.onError(new Error(trouble));
  const tell = () => (isDone ? resolve(answer) : reject(new Error(String(answer))));
  // The engine may end such a job in another way, and then without what is left to report.
  if (last && (!isDone || Number(answer) < 0)) void last.write().then(tell);
  else tell();
}
