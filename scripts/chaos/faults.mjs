import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo } from '../redis/resp.mjs';
import { say } from '../say.mjs';

/** @typedef {import('./plan.mjs').Fault} Fault */
/** @typedef {import('./cast.mjs').Cast} Cast */
/** A fault that was made. @typedef {Fault & { at: number, pid: number }} Made `at` by the clock; `pid` of who was hit, 0 for a line */

/** @type {Record<import('./plan.mjs').FaultKind, (fault: Fault, cast: Cast) => Promise<void>>} */
const MAKE = {
  'worker-kill': crash,
  'worker-stop': deploy,
  'api-kill': crash,
  'status-kill': crash,
  'redis-kill': crashRedis,
  cut,
  'half-open': silence,
  'worker-freeze': freeze,
  'redis-freeze': freeze,
};

const LOOK_MS = 100;

/**
 * Makes every fault at its time, and mends it. A fault does not wait for the one before, but a process is only taken away
 * where it stands and one of its kind is left: how soon work goes on says nothing where nobody is there to do it.
 * @param {Fault[]} plan
 * @param {Cast} cast
 * @param {AbortSignal} stop
 * @returns {Promise<Made[]>} once all are mended
 */
export async function makeFaults(plan, cast, stop) {
  const startedAt = Date.now();
  setMaxListeners(0, stop); // every fault that is still to come listens
  return Promise.all(
    plan.map(async (fault) => {
      await sleep(Math.max(0, startedAt + fault.atMs - Date.now()), undefined, { signal: stop });
      while (!canBeTaken(fault.target, cast)) await sleep(LOOK_MS, undefined, { signal: stop });
      const made = { ...fault, at: Date.now(), pid: cast.actors.get(fault.target)?.pid ?? 0 };
      say(
        `${((made.at - startedAt) / 1000).toFixed(1).padStart(6)} s  ${fault.kind} ${fault.target}, ${fault.forMs} ms`,
      );
      await MAKE[fault.kind](fault, cast);
      return made;
    }),
  );
}

/** Lines can always be broken. @param {string} target @param {Cast} cast */
function canBeTaken(target, { actors }) {
  const actor = actors.get(target);
  if (!actor) return true;
  const role = target.split(' ')[0];
  const others = [...actors.values()].filter(({ name }) => name !== target && name.split(' ')[0] === role);
  return actor.isUp && (others.length === 0 || others.some(({ isUp }) => isUp));
}

/** @param {Fault} fault @param {Cast} cast */
async function crash({ target, forMs }, cast) {
  const actor = actorOf(cast, target);
  await actor.kill();
  await sleep(forMs);
  await actor.start();
}

/** Asks it to end in order, as a deploy does. @param {Fault} fault @param {Cast} cast */
async function deploy({ target, forMs }, cast) {
  const actor = actorOf(cast, target);
  await actor.kill('SIGTERM');
  await sleep(forMs);
  await actor.start();
}

/**
 * While the disk syncs, `everysec` lets Redis answer before it has written, for up to 2 s: a kill in those milliseconds
 * loses what a power cut would, which is not promised (docs/reliability.md). With `no` it writes before it answers,
 * always; the next start has `everysec` again.
 * @param {Fault} fault
 * @param {Cast} cast
 */
async function crashRedis(fault, cast) {
  const redis = await connectTo(cast.redisUrl, 10_000);
  await redis.ask('CONFIG', 'SET', 'appendfsync', 'no');
  redis.close();
  await crash(fault, cast);
}

/** @param {Fault} fault @param {Cast} cast */
async function freeze({ target, forMs }, cast) {
  const actor = actorOf(cast, target);
  actor.freeze();
  await sleep(forMs);
  actor.thaw();
}

/** @param {Fault} fault @param {Cast} cast */
async function cut({ target, forMs }, cast) {
  const line = lineOf(cast, target);
  line.refuse();
  line.reset();
  await sleep(forMs);
  line.heal();
}

/** @param {Fault} fault @param {Cast} cast */
async function silence({ target }, cast) {
  lineOf(cast, target).silence();
}

/** @param {Cast} cast @param {string} name */
function actorOf(cast, name) {
  const actor = cast.actors.get(name);
  if (!actor) throw new Error(`expected a process called ${name}, got none`);
  return actor;
}

/** @param {Cast} cast @param {string} name */
function lineOf(cast, name) {
  const line = cast.lines.get(name);
  if (!line) throw new Error(`expected a line called ${name}, got none`);
  return line;
}
