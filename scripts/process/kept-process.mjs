import { setTimeout as sleep } from 'node:timers/promises';
import { Problem, say } from '../say.mjs';
import { afterDeath } from './restart.mjs';
import { endOf, startProcess } from './start-process.mjs';
import { isRunning, killGroup, STOP_TIMEOUT_MS, stopProcess } from './stop.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('./start-process.mjs').ProcessPlan} ProcessPlan */

/** A process that is started, started again when it dies, and stopped. */
export class KeptProcess {
  /** @type {ProcessPlan} */ #plan;
  /** @type {(problem: Problem) => void} */ #onGiveUp;
  /** @type {ChildProcess | undefined} */ #child;
  #stopping = new AbortController();
  #quickDeaths = 0;

  /**
   * @param {ProcessPlan} plan
   * @param {(problem: Problem) => void} onGiveUp called when it can not be kept running
   */
  constructor(plan, onGiveUp) {
    this.#plan = plan;
    this.#onGiveUp = onGiveUp;
  }

  /** The process as it runs, or last ran; undefined before it was started and after it was stopped. */
  get child() {
    return this.#child;
  }

  /**
   * Call once.
   * @returns {Promise<void>} once it is ready
   * @throws {Problem} when it ends before, or takes too long; nothing of it is left then
   */
  async start() {
    const launchedAt = Date.now();
    const child = await startProcess(this.#plan, (launched) => {
      this.#child = launched;
    });
    const onDeath = () => void this.#onDeath(child, Date.now() - launchedAt);
    if (isRunning(child)) child.once('exit', onDeath);
    else onDeath();
  }

  /** Ends it, by force after the time that its plan names. Nothing starts it again. Does nothing the second time. */
  async stop() {
    this.#stopping.abort();
    if (!this.#child) return;
    const { name, stopTimeoutMs = STOP_TIMEOUT_MS } = this.#plan;
    const outcome = await stopProcess(this.#child, stopTimeoutMs);
    this.#child = undefined;
    if (outcome === 'killed') say(`${name} did not stop within ${stopTimeoutMs / 1000} s: killed`);
  }

  /** Asks it to stop, or once more: services cut their stop short then. Nothing starts it again. Waits for nothing. */
  hurry() {
    this.#stopping.abort();
    if (this.#child && isRunning(this.#child)) this.#child.kill('SIGTERM');
  }

  /** Ends it at once. */
  kill() {
    this.#stopping.abort();
    if (this.#child) killGroup(this.#child);
  }

  /**
   * @param {ChildProcess} child that has ended
   * @param {number} livedMs
   */
  async #onDeath(child, livedMs) {
    const { name } = this.#plan;
    const stopping = this.#stopping.signal;
    if (stopping.aborted) return;
    const next = afterDeath({ quickDeaths: this.#quickDeaths, livedMs, exitCode: child.exitCode });
    if (next.giveUp) {
      this.#onGiveUp(new Problem(`${name} ended (${endOf(child)}) and does not stay up: giving up.`));
      return;
    }
    this.#quickDeaths = next.quickDeaths;
    say(`${name} ended (${endOf(child)}): starting it again in ${next.delayMs / 1000} s`);
    await sleep(next.delayMs, undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    await this.start().catch(() => this.#onDeath(this.#child ?? child, 0));
  }
}
