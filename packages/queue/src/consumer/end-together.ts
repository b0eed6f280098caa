/// <reference path="../engine/engine-scripts.d.ts" />
import { moveToFinished } from 'bullmq/dist/cjs/scripts/moveToFinished-14.js';
import { version } from 'bullmq/dist/cjs/version.js';
import type { Redis } from 'ioredis';
import { defineScript } from '../engine/script.ts';

/** The engine looks for its script under this name, and defines it where it is missing. */
const COMMAND = `moveToFinished:${version}`;
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
const [functions = '', main] = moveToFinished.content.split(MAIN);
if (main === undefined) throw new Error(`expected the engine's moveToFinished to have the line "${MAIN}", got none`);

/**
 * Ends several jobs of one queue, each by the engine's own script, which is a function here: what fails for one job is
 * its own answer and nothing to the others. Each also fetches the next job, as the engine has it.
 *
 * KEYS  the engine's 1 to 10, then the marker
 * ARGV  the engine's 1 to 9 for each job
 * Returns {1, answer} or {0, error} for each.
 */
const endScript = defineScript(`
${functions}
local function engineEnd(KEYS, ARGV)
${MAIN}${main}
end

local keys = {unpack(KEYS, 1, ${SHARED_KEYS})}
keys[14] = KEYS[11]
local answers = {}
for at = 1, #ARGV, ${JOB_ARGS} do
  local base, id, target = ARGV[at + 6], ARGV[at], ARGV[at + 4]
  keys[11], keys[12], keys[13] = base .. target, base .. id, base .. 'metrics:' .. target
  local done, answer = pcall(engineEnd, keys, {unpack(ARGV, at, at + ${JOB_ARGS - 1})})
  answers[#answers + 1] = done and {1, answer} or {0, type(answer) == 'table' and answer.err or tostring(answer)}
end
return answers
`);

type Argument = string | number | Buffer | undefined;
type Answer = [done: 1, answer?: unknown] | [done: 0, error: string];

interface Ends {
  keys: string[];
  args: (string | number | Buffer)[];
  done: { resolve: (answer: unknown) => void; reject: (error: unknown) => void }[];
}

/**
 * Has the engine's workers on this connection end the jobs of one turn of the event loop together. One by one, an end is
 * 30 arguments to encode, a system call to send them and another for Redis to read them: half of what a short job costs.
 * To be called before the first worker is made; a second call changes nothing.
 */
export function endTogether(redis: Redis): void {
  if (COMMAND in redis) return;
  const gathered = new Map<string, Ends>();

  function open(queue: string, keys: readonly string[]): Ends {
    const ends: Ends = {
      keys: [...keys.slice(0, SHARED_KEYS), keys[SHARED_KEYS + JOB_KEYS] as string],
      args: [],
      done: [],
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

  function end(given: Argument[]): Promise<unknown> {
    const keys = given.slice(0, moveToFinished.keys) as string[];
    const [queue = ''] = keys;
    const ends = gathered.get(queue) ?? open(queue, keys);
    for (let at = 0; at < JOB_ARGS; at += 1) ends.args.push(given[moveToFinished.keys + at] ?? '');
    return new Promise((resolve, reject) => {
      ends.done.push({ resolve, reject });
      if (ends.done.length === TOGETHER_MAX) close(queue, ends);
    });
  }

  Object.assign(redis, { [COMMAND]: end });
}

async function send(redis: Redis, { keys, args, done }: Ends): Promise<void> {
  try {
    const answers = (await endScript(redis, keys, args)) as Answer[];
    for (const [index, { resolve, reject }] of done.entries()) {
      const [isDone, answer = null] = answers[index] as Answer;
      if (isDone) resolve(answer);
      else reject(new Error(String(answer)));
    }
  } catch (error) {
    for (const { reject } of done) reject(error);
  }
}
