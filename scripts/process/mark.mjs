import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * A process that can be told apart from a later one that got the same id.
 * @typedef {{ pid: number, born?: string }} Mark `born` is missing where the system does not tell (Windows).
 */

/**
 * @param {number} pid
 * @returns {Mark}
 */
export function markOf(pid) {
  return { pid, born: bornAt(pid) };
}

/**
 * @param {Mark} mark
 * @returns {boolean} whether that very process still runs
 */
export function isAlive(mark) {
  if (!exists(mark.pid)) return false;
  return mark.born === bornAt(mark.pid);
}

/** @param {number} pid */
function exists(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * @param {number} pid
 * @returns {string | undefined} when the process began; on Linux `dead` for one that has ended and was not collected yet
 */
function bornAt(pid) {
  try {
    if (process.platform === 'linux') return bornOnLinux(pid);
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined; // ended between the two looks
  }
}

/** @param {number} pid */
function bornOnLinux(pid) {
  // "pid (name) state ppid …": the name may hold blanks and brackets, so count from its last bracket.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'dead' : fields[19];
}
