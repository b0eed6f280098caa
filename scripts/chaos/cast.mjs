import { fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { openProxy } from '@spillway/testkit';
import { freePort } from '../process/port.mjs';
import { lastLines } from '../process/run.mjs';
import { findRedisProgram } from '../redis/find-program.mjs';
import { planRedis } from '../redis/server.mjs';
import { Problem } from '../say.mjs';
import { projectFolder } from '../setup/project.mjs';
import { Actor } from './actor.mjs';
import { QUEUES } from './queues.mjs';
import { untilReady } from './ready.mjs';

/** @typedef {import('@spillway/testkit').FaultProxy} Line */
/** @typedef {import('./plan.mjs').Role} Role */

const READY_TIMEOUT_MS = 60_000;
/** Jobs that one worker runs at once: with two of three workers down, what the rate brings still finds room. */
const CONCURRENCY = '50';
const JOBS_FOLDER = path.join(import.meta.dirname, 'jobs');

/**
 * @typedef {object} Cast
 * @property {string} redisUrl past all lines, for those who judge
 * @property {string} url where clients find an api, whichever lives
 * @property {Map<string, Actor>} actors by name
 * @property {Map<string, Line>} lines by name: from the first service of each kind to Redis, to the apis, to the statuses.
 *   The others reach Redis without: what passes a line costs a core that is to be measured
 * @property {string[]} deaths of processes that nobody killed
 * @property {() => Record<Role, string[]>} targets
 */

/**
 * Starts two apis, two statuses, the workers and their Redis, and lays lines between them that can be broken.
 * @param {{ folder: string, workers: number, running: import('../start/running.mjs').Running, stop: AbortSignal }} setup
 *   `running` takes what has to be ended
 * @returns {Promise<Cast>}
 */
export async function openCast({ folder, workers, running, stop }) {
  /** @type {Map<string, Actor>} */
  const actors = new Map();
  /** @type {Map<string, Line>} */
  const lines = new Map();
  /** @type {string[]} */
  const deaths = [];

  const add = (/** @type {import('../process/start-process.mjs').ProcessPlan} */ plan) => {
    const actor = new Actor(plan, (how) => deaths.push(how));
    actors.set(actor.name, actor);
    running.add({ stop: () => actor.stop(), kill: () => actor.end() });
    return actor;
  };
  const lay = async (/** @type {string} */ name, /** @type {string[]} */ targets) => {
    const line = await openProxy(targets);
    lines.set(name, line);
    running.add({ stop: async () => line[Symbol.asyncDispose](), kill: () => {} });
    return line.url;
  };

  const program = await findRedisProgram(stop);
  if (program.keepsOwnData)
    throw new Problem(`Expected a Redis that can be killed as a process of this machine, got ${program.title}.`);
  const redis = await planRedis(program, { folder: path.join(folder, 'redis'), durable: true });
  await add(redis.plan).start();

  const addressOf = async () => `http://127.0.0.1:${await freePort()}`;
  const [api1, api2, status1, status2] = [await addressOf(), await addressOf(), await addressOf(), await addressOf()];
  const url = await lay('clients to api', [api1, api2]);
  const live = await lay('api to status', [status1, status2]);
  const service = async (/** @type {string} */ name, /** @type {string} */ app, /** @type {object} */ more) => {
    const line = name.endsWith('1') ? await lay(`${name} to redis`, [redis.url]) : redis.url;
    const env = { ...sharedEnv(folder), REDIS_URL: line.replace('http:', 'redis:'), ...more };
    return add(servicePlan(name, app, folder, env));
  };
  const services = [
    await service('status 1', 'status', { SPILLWAY_STATUS_PORT: portOf(status1) }),
    await service('status 2', 'status', { SPILLWAY_STATUS_PORT: portOf(status2) }),
    await service('api 1', 'api', { SPILLWAY_PORT: portOf(api1), SPILLWAY_STATUS_URL: live }),
    await service('api 2', 'api', { SPILLWAY_PORT: portOf(api2), SPILLWAY_STATUS_URL: live }),
  ];
  for (let n = 1; n <= workers; n++) services.push(await service(`worker ${n}`, 'worker', {}));
  await Promise.all(services.map((actor) => actor.start()));

  const named = (/** @type {string} */ role) => [...actors.keys()].filter((name) => name.startsWith(role));
  return {
    redisUrl: redis.url,
    url,
    actors,
    lines,
    deaths,
    targets: () => ({
      worker: named('worker'),
      api: named('api'),
      status: named('status'),
      redis: ['redis'],
      line: [...lines.keys()],
    }),
  };
}

/** What the user may have set for a Spillway of their own must not reach this one. @param {string} folder */
function sharedEnv(folder) {
  const own = Object.entries(process.env).filter(([name]) => !/^(SPILLWAY_|WORKER_|REDIS_URL)/.test(name));
  return {
    ...Object.fromEntries(own),
    SPILLWAY_FILES: path.join(folder, 'files'),
    SPILLWAY_JOBS: JOBS_FOLDER,
    WORKER_QUEUES: QUEUES.join(','),
    WORKER_CONCURRENCY: CONCURRENCY,
    CHAOS_RECORDS: folder,
  };
}

/**
 * @param {string} name
 * @param {string} app
 * @param {string} folder for its output
 * @param {NodeJS.ProcessEnv} env
 * @returns {import('../process/start-process.mjs').ProcessPlan}
 */
function servicePlan(name, app, folder, env) {
  const script = path.join(projectFolder, 'apps', app, 'dist', 'main.js');
  const logs = path.join(folder, 'logs');
  const logFile = path.join(logs, `${name.replace(' ', '-')}.log`);
  mkdirSync(logs, { recursive: true });
  return {
    name,
    readyTimeoutMs: READY_TIMEOUT_MS,
    launch: () => {
      const log = openSync(logFile, 'a');
      const child = fork(script, [], { env, execArgv: [], detached: true, stdio: ['ignore', log, log, 'ipc'] });
      closeSync(log);
      return child;
    },
    untilReady,
    explain: () => lastLines(readFileSync(logFile, 'utf8')),
  };
}

/** @param {string} url */
function portOf(url) {
  return new URL(url).port;
}
