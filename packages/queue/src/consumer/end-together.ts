import { engineScripts, engineVersion, type Redis } from '@spillway/bullmq';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { opening } from '../engine/groups.ts';
import { defineScript } from '../engine/script.ts';

/** The engine looks for its script under this name, and defines it where it is missing. */
const COMMAND = `moveToFinished:${engineVersion}`;
/** Of the engine's keys, those that are the same for all jobs of a queue: from the front, and the marker behind the three of the job. */
const SHARED_KEYS = 10;
const JOB_KEYS = 3;
/** id, timestamp, property, value, target, whether to fetch the next job, key prefix, options, fields to update. */
const JOB_ARGS = 9;

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

const ENGINE = `
${functions}
-- What the engine packs for a job is asked for twice here.
local unpacked = {}
local cmsgpack = {unpack = function(text)
  unpacked[text] = unpacked[text] or cmsgpack.unpack(text)
  return unpacked[text]
end}
local function engineEnd(KEYS, ARGV)
${MAIN}${main}
end

local keys = {unpack(KEYS, 1, ${SHARED_KEYS})}
keys[14] = KEYS[11]
local function keysOf(args)
  local base, id, target = args[7], args[1], args[5]
  keys[11], keys[12], keys[13] = base .. target, base .. id, base .. 'metrics:' .. target
  return keys
end

local answers = {}
local function note(done, answer)
  answers[#answers + 1] = done and {1, answer} or {0, type(answer) == 'table' and answer.err or tostring(answer)}
end
`;

/**
 * Ends several jobs of one queue, each by the engine's own script, which is a function here: what fails for one job is
 * its own answer and nothing to the others. Each also fetches the next job, as the engine has it.
 *
 * KEYS  the engine's 1 to 10, then the marker
 * ARGV  the engine's 1 to 9 for each job
 * Returns {1, answer} or {0, error} for each.
 */
const endScript = defineScript(`${ENGINE}
for at = 1, #ARGV, ${JOB_ARGS} do
  local args = {unpack(ARGV, at, at + ${JOB_ARGS - 1})}
  note(pcall(engineEnd, keysOf(args), args))
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
  if one[1][6] == '1' then note(pcall(fetch, one[1])) else note(one[2], one[3]) end
end
answers[#answers + 1] = opening
return answers
`);

type Argument = string | number | Buffer | undefined;
type Answer = [done: 1, answer?: unknown] | [done: 0, error: string];

interface Ends {
  keys: string[];
  args: (string | number | Buffer)[];
  done: { resolve: (answer: unknown) => void; reject: (error: unknown) => void }[];
  /** Where one of the jobs has a group. */
  onOpening: OnOpening | undefined;
}

/** Hears in how many ms a group may start again that has used up its window; undefined where none has. */
export type OnOpening = (opensInMs: number | undefined) => void;

/** Jobs whose ends give back a slot of a group, by id, until they end or are left alone. */
export type GroupedEnds = Map<string, OnOpening>;

const known = new WeakMap<Redis, GroupedEnds>();

/**
 * Has the engine's workers on this connection end the jobs of one turn of the event loop together. One by one, an end is
 * 30 arguments to encode, a system call to send them and another for Redis to read them: half of what a short job costs.
 * To be called before the first worker is made; a second call changes nothing and returns the same.
 */
export function endTogether(redis: Redis): GroupedEnds {
  const grouped = known.get(redis) ?? new Map<string, OnOpening>();
  if (!known.has(redis)) Object.assign(redis, { [COMMAND]: gatherEnds(redis, grouped) });
  known.set(redis, grouped);
  return grouped;
}

function gatherEnds(redis: Redis, grouped: GroupedEnds): (given: Argument[]) => Promise<unknown> {
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
    void send(redis, ends);
  }

  function addTo(ends: Ends, given: Argument[]): void {
    for (let at = 0; at < JOB_ARGS; at += 1) ends.args.push(given[moveToFinished.keys + at] ?? '');
    if (grouped.size === 0) return;
    const id = String(given[moveToFinished.keys]);
    ends.onOpening ??= grouped.get(id);
    grouped.delete(id);
  }

  return (given) => {
    const keys = given.slice(0, moveToFinished.keys) as string[];
    const [queue = ''] = keys;
    const ends = gathered.get(queue) ?? open(queue, keys);
    addTo(ends, given);
    return new Promise((resolve, reject) => {
      ends.done.push({ resolve, reject });
      if (ends.done.length === TOGETHER_MAX) close(queue, ends);
    });
  };
}

async function send(redis: Redis, { keys, args, done, onOpening }: Ends): Promise<void> {
  try {
    const script = onOpening ? endGroupedScript : endScript;
    const answers = (await script(redis, keys, args)) as Answer[];
    for (const [index, { resolve, reject }] of done.entries()) {
      const [isDone, answer = null] = answers[index] as Answer;
      if (isDone) resolve(answer);
      else reject(new Error(String(answer)));
    }
    onOpening?.(opening(answers[done.length]));
  } catch (error) {
    for (const { reject } of done) reject(error);
  }
}
