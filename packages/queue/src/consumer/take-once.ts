import { engineScripts, engineVersion, type Redis } from '@spillway/bullmq';
import { defineScript } from '../engine/script.ts';

/** The engine looks for its script under this name, and defines it where it is missing. */
const COMMAND = `moveToActive:${engineVersion}`;
/** Before this line the engine's script defines functions. */
const MAIN = 'local isPausedOrMaxed, rateLimitMax, rateLimitDuration =';
const { moveToActive } = engineScripts;

const [functions = '', main] = moveToActive.content.split(MAIN);
if (main === undefined) throw new Error(`expected the engine's moveToActive to have the line "${MAIN}", got none`);
for (const name of ['addBaseMarkerIfNeeded', 'getNextDelayedTimestamp']) {
  if (!functions.includes(`local function ${name}(`))
    throw new Error(`expected the engine's moveToActive to define ${name}, got no such function`);
}

/**
 * Takes the next job by the engine's own script. That marks the line with every job, to call the next worker; here it is
 * marked only while there is something to come for: whoever adds a job marks the line again.
 *
 * KEYS, ARGV  as the engine has them
 * Returns what the engine does, and behind it, where the line is empty now, when the next delayed job is due (ms), or 0.
 */
const takeScript = defineScript(`
${functions}
local function take()
${MAIN}${main}
end
local mayMark = false
addBaseMarkerIfNeeded = function(_, isPausedOrMaxed) mayMark = mayMark or not isPausedOrMaxed end

local answer = take()
local isEmpty = rcall('EXISTS', waitKey, KEYS[3]) == 0
if mayMark and not isEmpty then rcall('ZADD', KEYS[11], 0, '0') end
if answer[1] == 0 or not isEmpty then return answer end
rcall('ZREM', KEYS[11], '0')
answer[5] = getNextDelayedTimestamp(delayedKey) or 0
return answer
`);

type Argument = string | number | Buffer;
type Answer = [job: unknown, id: unknown, limitedForMs: number, delayedUntil: number, nextDelayed?: number];

const known = new WeakSet<Redis>();

/**
 * Spares the engine's workers on this connection a question. They ask for jobs until there are no more, and start the
 * first one after that: where it was the last of its line, the second question is answered here. To be called before the
 * first worker is made; a second call changes nothing.
 */
export function takeOnce(redis: Redis): void {
  if (known.has(redis)) return;
  known.add(redis);
  Object.assign(redis, { [COMMAND]: take(redis) });
}

function take(redis: Redis): (given: Argument[]) => Promise<Answer> {
  const empty = new Map<string, Answer>();
  return async (given) => {
    const [line] = given as [string];
    const found = empty.get(line);
    empty.delete(line);
    if (found) return found;
    const keys = given.slice(0, moveToActive.keys) as string[];
    const answer = (await takeScript(redis, keys, given.slice(moveToActive.keys))) as Answer;
    const nextDelayed = answer[4];
    if (nextDelayed !== undefined) {
      empty.set(line, [0, 0, 0, nextDelayed]);
      // The worker asks again before it does anything else. Later the line may have been marked for a job that came since,
      // and who has taken the mark must find that job.
      process.nextTick(() => empty.delete(line));
    }
    return answer;
  };
}
