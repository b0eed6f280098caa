import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOf, startProcess } from '../process/start-process.mjs';
import { isRunning, killGroup, stopProcess } from '../process/stop.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('../process/start-process.mjs').ProcessPlan} ProcessPlan */

/** One that starts while Redis is away may give up; whoever keeps services running starts it again. */
const STARTS = 20;
const START_PAUSE_MS = 500;

/** A process that can be killed, frozen and started again. */
export class Actor {
  /** @type {ProcessPlan} */ #plan;
  /** @type {(how: string) => void} */ #onDeath;
  /** @type {ChildProcess | undefined} */ #child;
  /** Ends that were asked for. @type {WeakSet<ChildProcess>} */ #asked = new WeakSet();
  #isReady = false;
  #isFrozen = false;
  #over = false;

  /**
   * @param {ProcessPlan} plan
   * @param {(how: string) => void} onDeath told when it ends and nobody asked for it; it is started again
   */
  constructor(plan, onDeath) {
    this.#plan = plan;
    this.#onDeath = onDeath;
  }

  get name() {
    return this.#plan.name;
  }

  get pid() {
    return this.#child?.pid ?? 0;
  }

  /** Whether it can be expected to work. */
  get isUp() {
    return this.#isReady && !this.#isFrozen && this.#child !== undefined && isRunning(this.#child);
  }

  /** Resolves once it is ready; tries again where it ends before. */
  async start() {
    for (let left = STARTS; !this.#over; left--) {
      try {
        this.#attend(await startProcess(this.#plan, (launched) => this.#take(launched)));
        return;
      } catch (error) {
        if (left <= 1) throw error;
        await sleep(START_PAUSE_MS);
      }
    }
  }

  /** Ends it, as a crash would unless told otherwise; resolves once it is gone. @param {NodeJS.Signals} [signal] */
  async kill(signal = 'SIGKILL') {
    const child = this.#child;
    if (!child || !isRunning(child)) return;
    this.#asked.add(child);
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  freeze() {
    this.#isFrozen = true;
    this.#child?.kill('SIGSTOP');
  }

  thaw() {
    this.#isFrozen = false;
    this.#child?.kill('SIGCONT');
  }

  /** Ends it in order, for good. */
  async stop() {
    this.#over = true;
    if (!this.#child) return;
    this.#asked.add(this.#child);
    this.thaw();
    await stopProcess(this.#child);
  }

  /** Ends it and all of its group at once, for good. */
  end() {
    this.#over = true;
    if (!this.#child) return;
    this.#asked.add(this.#child);
    killGroup(this.#child);
  }

  /** @param {ChildProcess} launched */
  #take(launched) {
    this.#child = launched;
    this.#isReady = false;
    if (this.#over) this.end();
  }

  /** @param {ChildProcess} child that is ready */
  #attend(child) {
    this.#isReady = true;
    const died = () => {
      if (this.#asked.has(child)) return;
      this.#onDeath(`${this.name} ended by itself (${endOf(child)})`);
      this.start().catch((error) => this.#onDeath(`${this.name} could not be started again: ${error.message}`));
    };
    if (isRunning(child)) child.once('exit', died);
    else died();
  }
}
