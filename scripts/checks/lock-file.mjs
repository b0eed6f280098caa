import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @typedef {object} LockEntry
 * @property {string} [resolved]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * Finds what makes a lock file useless elsewhere. npm leaves out the optional packages of platforms that its registry lacks, and `npm ci`
 * then refuses the very lock that `npm install` wrote; and addresses of one network's registry do not work in another.
 * @param {{ packages: Record<string, LockEntry> }} lock
 * @returns {string[]} problems
 */
export function lockProblems({ packages }) {
  return Object.entries(packages).flatMap(([place, entry]) => [
    ...(entry.resolved?.startsWith('http') ? [`${place} records a download address: ${entry.resolved}`] : []),
    ...Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !isLocked(packages, place, name))
      .map((name) => `${place || 'the root'} may use ${name}, which has no entry`),
  ]);
}

/**
 * @param {Record<string, LockEntry>} packages
 * @param {string} place of the package that asks, e.g. `node_modules/a/node_modules/b`
 * @param {string} name
 * @returns {boolean} whether Node's look-up, from the place outwards, ends at an entry
 */
function isLocked(packages, place, name) {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    if (`${folder && `${folder}/`}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}

/** @param {string} folder the project's */
export function readLock(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
}
