import { Problem } from '../say.mjs';
import { killGroup } from './stop.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/**
 * @typedef {object} ProcessPlan
 * @property {string} name
 * @property {() => ChildProcess} launch in a process group of its own (`detached`), so that Ctrl-C in the terminal does not reach it
 * @property {(child: ChildProcess, signal: AbortSignal) => Promise<void>} untilReady rejects at once when the signal aborts
 * @property {number} readyTimeoutMs
 * @property {number} [stopTimeoutMs] how long it may take to stop before it is killed; 15 s where it does not say
 * @property {() => string} [explain] what may tell why it did not start
 */

/**
 * Launches a process and waits until it is ready.
 * @param {ProcessPlan} plan
 * @param {(child: ChildProcess) => void} [onLaunch] called before the wait
 * @returns {Promise<ChildProcess>}
 * @throws {Problem} when it ends before, or takes too long; nothing of it is left then
 */
export async function startProcess({ name, launch, untilReady, readyTimeoutMs, explain = () => '' }, onLaunch) {
  const child = launch();
  onLaunch?.(child);
  const failed = new AbortController();
  const fail = (/** @type {string} */ how) => failed.abort(new Problem(`${name} ${how}\n${explain()}`.trimEnd()));
  child.once('error', (error) => fail(`could not be started: ${error.message}`));
  child.once('exit', () => fail(`ended before it was ready (${endOf(child)}).`));
  const timer = setTimeout(() => fail(`was not ready within ${readyTimeoutMs / 1000} s.`), readyTimeoutMs);
  try {
    await untilReady(child, failed.signal);
    return child;
  } catch (error) {
    killGroup(child);
    throw failed.signal.aborted ? failed.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {ChildProcess} child that has ended
 * @returns {string} for people
 */
export function endOf(child) {
  return child.signalCode ?? `exit code ${child.exitCode}`;
}
