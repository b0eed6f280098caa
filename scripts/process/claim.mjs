import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, markOf } from './mark.mjs';

/** @typedef {import('./mark.mjs').Mark} Mark */

/** A claim is written a moment after its file appears; an empty file older than this is a leftover of a crash. */
const WRITE_GRACE_MS = 5_000;

/**
 * Takes `file` for this process. The claim of a process that no longer lives is taken over.
 * @param {string} file
 * @returns {{ release: () => void, holder?: undefined } | { release?: undefined, holder: Mark }} the live holder when it is taken
 */
export function claim(file) {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine = JSON.stringify(markOf(process.pid));
  for (;;) {
    if (createFile(file, mine)) return { release: () => releaseIfMine(file, mine) };
    const holder = holderOf(file);
    if (holder) return { holder };
    setStaleAside(file);
  }
}

/**
 * Runs `work` while holding `file`, after waiting for whoever holds it now.
 * @template T
 * @param {string} file
 * @param {{ onWait: (holder: Mark) => void, signal?: AbortSignal }} options `onWait` is called once, when somebody else holds it
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function whileClaimed(file, { onWait, signal }, work) {
  let claimed = claim(file);
  if (claimed.holder) onWait(claimed.holder);
  while (claimed.holder) {
    await sleep(200, undefined, { signal });
    claimed = claim(file);
  }
  try {
    return await work();
  } finally {
    claimed.release();
  }
}

/**
 * @param {string} file
 * @param {string} content
 */
function createFile(file, content) {
  try {
    writeFileSync(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param {string} file
 * @returns {Mark | undefined} undefined when the claim is stale or gone
 */
function holderOf(file) {
  try {
    const content = readFileSync(file, 'utf8');
    if (content !== '') {
      const mark = /** @type {Mark} */ (JSON.parse(content));
      return isAlive(mark) ? mark : undefined;
    }
    return Date.now() - statSync(file).mtimeMs < WRITE_GRACE_MS ? { pid: 0 } : undefined;
  } catch {
    return undefined; // released meanwhile, or not readable as a claim
  }
}

/**
 * Renaming is atomic, so of several processes that saw the same stale claim one wins. Whoever moves a fresh claim by being late puts it back.
 * @param {string} file
 */
function setStaleAside(file) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // somebody else was first
  }
  if (holderOf(aside)) createFile(file, readFileSync(aside, 'utf8'));
  rmSync(aside, { force: true });
}

/**
 * @param {string} file
 * @param {string} mine
 */
function releaseIfMine(file, mine) {
  try {
    if (readFileSync(file, 'utf8') === mine) rmSync(file);
  } catch {
    // Gone already: nothing is held, which is what release is for.
  }
}
