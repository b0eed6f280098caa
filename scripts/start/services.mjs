import { fork } from 'node:child_process';
import { on } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import { KeptProcess } from '../process/kept-process.mjs';
import { projectFolder } from '../setup/project.mjs';
import { handOver } from './hand-over.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

const READY_TIMEOUT_MS = 60_000;
/** What handing back and closing may take beyond the time that a service gives its work; the services' own margins are less. */
const CLOSING_MS = 8_000;

/**
 * @typedef {object} ServicesOptions
 * @property {NodeJS.ProcessEnv} env
 * @property {number} workers how many worker processes
 * @property {(name: string, child: ChildProcess) => void} onLaunch
 * @property {(problem: import('../say.mjs').Problem) => void} onGiveUp
 */

/** api, status and workers, each a process of its own. */
export class Services {
  /** @type {ServicesOptions} */ #options;
  /** @type {KeptProcess[][]} in the order of stopping */ #groups = [];

  /** @param {ServicesOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Starts them all at once; also after a stop.
   * @returns {Promise<void>} once all are ready; rejects with the first one's problem
   */
  async start() {
    const { workers } = this.#options;
    const workerNames = Array.from({ length: workers }, (_, n) => (workers === 1 ? 'worker' : `worker ${n + 1}`));
    // No new jobs, then no new work, then the last news to those who watch.
    const status = this.#service('status', 'status');
    this.#groups = [
      [this.#service('api', 'api', (api) => handOver(api, () => status.child))],
      workerNames.map((name) => this.#service(name, 'worker')),
      [status],
    ];
    await Promise.all(this.#groups.flat().map((service) => service.start()));
  }

  async stop() {
    for (const group of this.#groups) await Promise.all(group.map((service) => service.stop()));
  }

  /** Workers hand back at once what they run, and the others end. */
  hurry() {
    for (const service of this.#groups.flat()) service.hurry();
  }

  kill() {
    for (const service of this.#groups.flat()) service.kill();
  }

  /**
   * @param {string} name
   * @param {string} app
   * @param {(child: ChildProcess) => void} [onReady] called for each that was launched
   */
  #service(name, app, onReady) {
    const { env, onLaunch, onGiveUp } = this.#options;
    const script = path.join(projectFolder, 'apps', app, 'dist', 'main.js');
    const plan = {
      name,
      readyTimeoutMs: READY_TIMEOUT_MS,
      stopTimeoutMs: stopTimeoutOf(app, env),
      launch: () => {
        const child = fork(script, [], { env, execArgv: [], detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
        printOutput(name, child);
        onLaunch(name, child);
        return child;
      },
      untilReady: async (/** @type {ChildProcess} */ child, /** @type {AbortSignal} */ signal) => {
        await untilItSaysReady(child, signal);
        onReady?.(child);
      },
    };
    return new KeptProcess(plan, onGiveUp);
  }
}

/**
 * As long as the service itself takes at most, by its settings.
 * @param {string} app
 * @param {NodeJS.ProcessEnv} env
 */
function stopTimeoutOf(app, env) {
  const patienceMs = { worker: env.WORKER_STOP_MS, status: env.SPILLWAY_STATUS_STOP_MS }[app];
  const set = Number(patienceMs || 10_000);
  return (Number.isFinite(set) ? set : 0) + CLOSING_MS;
}

/**
 * @param {ChildProcess} child
 * @param {AbortSignal} signal
 */
async function untilItSaysReady(child, signal) {
  for await (const [message] of on(child, 'message', { signal })) {
    if (message?.kind === 'ready') return;
  }
}

/**
 * @param {string} name
 * @param {ChildProcess} child
 */
function printOutput(name, child) {
  const prefix = styleText('cyan', `${name.padEnd(8)} |`, { stream: process.stdout });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => console.log(`${prefix} ${line}`));
  }
}
