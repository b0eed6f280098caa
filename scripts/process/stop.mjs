import { once } from 'node:events';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** Long enough for a graceful stop of what has not said otherwise. */
export const STOP_TIMEOUT_MS = 15_000;

/**
 * Ends a child that leads its own process group: asks it, waits, and when it is gone (or too slow) ends what it may have left in its group.
 * Does nothing for one that has ended.
 * @param {ChildProcess} child
 * @param {number} [timeoutMs]
 * @returns {Promise<'ended' | 'killed'>}
 */
export async function stopProcess(child, timeoutMs = STOP_TIMEOUT_MS) {
  let outcome = /** @type {'ended' | 'killed'} */ ('ended');
  if (isRunning(child)) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      outcome = 'killed';
      killGroup(child);
    }, timeoutMs);
    await gone;
    clearTimeout(timer);
  }
  killGroup(child);
  return outcome;
}

/**
 * Ends the child and everything in its group at once.
 * @param {ChildProcess} child
 */
export function killGroup(child) {
  if (child.pid === undefined) return; // never started
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // no group: all gone, or a system without groups
  }
}

/** @param {ChildProcess} child */
export function isRunning(child) {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
