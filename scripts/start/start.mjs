import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { claim } from '../process/claim.mjs';
import { KeptProcess } from '../process/kept-process.mjs';
import { stopSignal } from '../process/stop-signal.mjs';
import { examineRedis, withoutPassword } from '../redis/examine.mjs';
import { findRedisProgram } from '../redis/find-program.mjs';
import { planRedis } from '../redis/server.mjs';
import { Problem, report, say } from '../say.mjs';
import { prepare } from '../setup/prepare.mjs';
import { dataFolderOf, projectFolder } from '../setup/project.mjs';
import { changesIn } from './changes.mjs';
import { serviceEnvironment } from './environment.mjs';
import { greeting } from './greeting.mjs';
import { ProcessRecord } from './left-behind.mjs';
import { parseOptions, USAGE } from './options.mjs';
import { choosePorts } from './ports.mjs';
import { Running } from './running.mjs';
import { Services } from './services.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('./options.mjs').StartOptions} StartOptions */

const LAST_LINES_MS = 200;
/** What a stop may still take once somebody is not willing to wait: workers hand back within 2 s, then Redis saves. */
const HURRY_MS = 5_000;

/**
 * What the steps of one start share.
 * @typedef {object} Session
 * @property {StartOptions} options
 * @property {string} dataFolder
 * @property {Running} running takes what has to be stopped
 * @property {ProcessRecord} record
 * @property {AbortSignal} stop aborted when the person at the terminal wants it to end
 * @property {Promise<void>} ended resolves then too; rejects when something can not be kept running
 * @property {(problem: Problem) => void} giveUp makes it reject
 */

/**
 * `npm start`: brings everything up, keeps it up, and takes it down in order on Ctrl-C. Owns the process and its exit code.
 * @param {string[]} argv
 */
export async function start(argv) {
  const running = new Running();
  const kill = () => running.kill();
  const end = () => {
    kill();
    process.exit(1);
  };
  let isHurrying = false;
  const stop = stopSignal({
    onSecond: () => {
      if (isHurrying) end();
      isHurrying = true;
      say('cutting it short …');
      running.hurry();
      setTimeout(end, HURRY_MS).unref();
    },
  });
  process.once('exit', kill); // whatever goes wrong here, nothing is left behind
  process.stdout.on('error', () => {}); // a terminal that was closed must not keep the rest from being stopped
  try {
    const options = parseOptions(argv, process.env);
    if (options.help) console.log(USAGE);
    else await runUntilStopped(newSession(options, running, stop));
  } catch (error) {
    if (!stop.aborted) process.exitCode = report(error);
  }
  if (stop.aborted) say('stopping …');
  await running.stop();
}

/**
 * @param {StartOptions} options
 * @param {Running} running
 * @param {AbortSignal} stop
 * @returns {Session}
 */
function newSession(options, running, stop) {
  const dataFolder = dataFolderOf(process.env);
  let giveUp = (/** @type {Problem} */ _problem) => {};
  const ended = new Promise((/** @type {(nothing: void) => void} */ resolve, reject) => {
    stop.addEventListener('abort', () => resolve());
    giveUp = reject;
  });
  ended.catch(() => {}); // whoever waits for it at that time reports it
  return { options, dataFolder, running, record: new ProcessRecord(dataFolder), stop, ended, giveUp };
}

/** @param {Session} session */
async function runUntilStopped(session) {
  const { options, dataFolder, running, record, stop, ended, giveUp } = session;
  claimFolder(dataFolder, running);
  await record.clear();
  // What may be refused comes before what takes long.
  const ports = await choosePorts(options, process.env.SPILLWAY_HOST || '127.0.0.1');
  const redis = options.redisUrl ? await foreignRedis(options.redisUrl) : await ownRedis(session);
  await prepare(stop);
  stop.throwIfAborted();

  const env = serviceEnvironment(process.env, { redisUrl: redis.url, ports, dataFolder });
  const onLaunch = record.add.bind(record);
  const services = running.add(new Services({ env, workers: options.workers, onLaunch, onGiveUp: giveUp }));
  await Promise.race([services.start(), ended]);
  stop.throwIfAborted();

  // Their log lines come another way than their "ready": let them pass, so that what to do next is the last thing on the screen.
  await sleep(LAST_LINES_MS, undefined, { signal: stop });
  const hasKeys = Boolean(process.env.SPILLWAY_KEYS || process.env.SPILLWAY_KEYS_FILE);
  console.log(greeting({ ports, redis: redis.title, dataFolder, hasKeys }));
  await Promise.race([ended, options.watch ? restartOnChange(services, stop) : ended]);
}

/**
 * @param {string} dataFolder
 * @param {Running} running
 * @throws {Problem} when another start uses the folder
 */
function claimFolder(dataFolder, running) {
  const { release, holder } = claim(path.join(dataFolder, 'start.lock'));
  if (holder) {
    throw new Problem(
      `Spillway already runs from this folder (process ${holder.pid}); its Ctrl-C, or kill ${holder.pid}, stops it.`,
    );
  }
  running.add({ stop: async () => release(), kill: release });
}

/** @param {string} url */
async function foreignRedis(url) {
  const { version, warning } = await examineRedis(url);
  if (warning) say(`warning: ${warning}`);
  return { url, title: `${withoutPassword(url)} (version ${version})` };
}

/** @param {Session} session */
async function ownRedis({ dataFolder, running, record, stop, ended, giveUp }) {
  const program = await findRedisProgram(stop);
  const folder = path.join(dataFolder, 'redis');
  const onLaunch = (/** @type {ChildProcess} */ child) => record.add('redis', child);
  const { url, plan } = await planRedis(program, { folder, durable: true, onLaunch });
  const server = running.add(new KeptProcess(plan, giveUp));
  await Promise.race([server.start(), ended]);
  return { url, title: `${url}, started for this: ${program.title}` };
}

/**
 * Rebuilds and restarts after each change of a source file. A build that fails is shown, and what ran runs on.
 * @param {Services} services
 * @param {AbortSignal} stop
 */
async function restartOnChange(services, stop) {
  const folders = ['packages', 'apps'].map((name) => path.join(projectFolder, name));
  for await (const _change of changesIn(folders, stop)) {
    try {
      if ((await prepare(stop)) === 'up to date') continue;
      say('restarting …');
      await services.stop();
      stop.throwIfAborted(); // else nobody would stop them again
      await services.start();
    } catch (error) {
      if (!stop.aborted) report(error);
    }
  }
}
