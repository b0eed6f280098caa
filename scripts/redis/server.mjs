import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../process/port.mjs';
import { lastLines } from '../process/run.mjs';
import { startProcess } from '../process/start-process.mjs';
import { stopProcess } from '../process/stop.mjs';
import { connectTo } from './resp.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('../process/start-process.mjs').ProcessPlan} ProcessPlan */

/**
 * A way to run a Redis server that nobody else uses.
 * @typedef {object} RedisProgram
 * @property {string} title what and where it is, for people
 * @property {(options: LaunchOptions) => ChildProcess} launch in a process group of its own
 * @property {boolean} [keepsOwnData] the child is only the front of a server that lives, with its data, elsewhere (a container)
 */

/**
 * @typedef {object} LaunchOptions
 * @property {number} port on 127.0.0.1
 * @property {string} folder for its data and its log
 * @property {boolean} durable
 * @property {string[]} settings as arguments
 */

/**
 * @typedef {object} RedisOptions
 * @property {string} folder for its data and its log
 * @property {boolean} durable the data survives a stop and a crash
 * @property {(child: ChildProcess) => void} [onLaunch]
 */

/** A large append-only file takes a while to read. */
const READY_TIMEOUT_MS = 120_000;

/**
 * @param {RedisProgram} program
 * @param {RedisOptions} options
 * @returns {Promise<{ url: string, plan: ProcessPlan }>} how to start it; once it is stopped, everything is on disk
 */
export async function planRedis(program, { folder, durable, onLaunch }) {
  mkdirSync(dataFolderIn(folder), { recursive: true });
  const port = await freePort();
  const plan = {
    name: 'redis',
    readyTimeoutMs: READY_TIMEOUT_MS,
    launch: () => {
      const child = program.launch({ port, folder, durable, settings: settingsFor(durable) });
      onLaunch?.(child);
      return child;
    },
    untilReady: (/** @type {ChildProcess} */ _child, /** @type {AbortSignal} */ signal) => untilAnswering(port, signal),
    explain: () => endOfLog(logFileIn(folder)),
  };
  return { url: `redis://127.0.0.1:${port}`, plan };
}

/**
 * Starts a server for a while: nothing starts it again if it dies.
 * @param {RedisProgram} program
 * @param {RedisOptions} options
 * @returns {Promise<{ url: string, child: ChildProcess, stop: () => Promise<unknown> }>} once it answers
 */
export async function startRedis(program, options) {
  const { url, plan } = await planRedis(program, options);
  const child = await startProcess(plan);
  return { url, child, stop: () => stopProcess(child) };
}

/** @param {string} folder */
export function dataFolderIn(folder) {
  return path.join(folder, 'data');
}

/** @param {string} folder */
export function logFileIn(folder) {
  return path.join(folder, 'redis.log');
}

/** @param {boolean} durable */
function settingsFor(durable) {
  const settings = {
    'maxmemory-policy': 'noeviction',
    // The name that 6.2 knows; newer ones call it hash-max-listpack-value and take both. It halves the memory that a job takes.
    'hash-max-ziplist-value': '512',
    save: '',
    ...(durable ? { appendonly: 'yes', appendfsync: 'everysec' } : { appendonly: 'no' }),
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/**
 * @param {number} port
 * @param {AbortSignal} signal
 */
async function untilAnswering(port, signal) {
  while (!(await isAnswering(port))) await sleep(25, undefined, { signal });
}

/**
 * @param {number} port
 * @returns {Promise<boolean>} false while it does not listen yet, or still loads its data
 */
async function isAnswering(port) {
  try {
    const connection = await connectTo(`redis://127.0.0.1:${port}`, 5_000);
    const reply = await connection.ask('PING');
    connection.close();
    return reply === 'PONG';
  } catch {
    return false;
  }
}

/** @param {string} logFile */
function endOfLog(logFile) {
  try {
    return lastLines(readFileSync(logFile, 'utf8'));
  } catch {
    return ''; // it wrote none
  }
}
