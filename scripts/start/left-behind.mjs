import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, markOf } from '../process/mark.mjs';
import { say } from '../say.mjs';

/** @typedef {import('../process/mark.mjs').Mark & { name: string }} NamedMark */

const LEAVE_TIMEOUT_MS = 15_000;

/**
 * The processes of one start, on disk: if start itself is killed, the next one finds what it left.
 * The services notice and end by themselves; Redis does not, and two of them on one data folder would ruin it.
 */
export class ProcessRecord {
  /** @type {string} */ #file;
  /** @type {NamedMark[]} */ #marks = [];

  /** @param {string} folder of the data */
  constructor(folder) {
    this.#file = path.join(folder, 'processes.json');
  }

  /**
   * @param {string} name
   * @param {import('node:child_process').ChildProcess} child
   */
  add(name, child) {
    if (child.pid === undefined) return; // it could not be started
    this.#marks = [...this.#marks.filter(isAlive), { name, ...markOf(child.pid) }];
    mkdirSync(path.dirname(this.#file), { recursive: true });
    writeFileSync(this.#file, JSON.stringify(this.#marks));
  }

  /** Stops what an earlier start left running. Touches nothing that is not certainly one of its processes. */
  async clear() {
    const left = this.#read().filter((mark) => mark.born !== undefined && isAlive(mark));
    if (left.length === 0) return;
    say(`an earlier start was cut off; stopping what it left: ${left.map(({ name }) => name).join(', ')}`);
    for (const mark of left) signal(mark, 'SIGTERM');
    const deadline = Date.now() + LEAVE_TIMEOUT_MS;
    while (left.some(isAlive) && Date.now() < deadline) await sleep(50);
    for (const mark of left.filter(isAlive)) signal(mark, 'SIGKILL');
    while (left.some(isAlive)) await sleep(50);
  }

  /** @returns {NamedMark[]} */
  #read() {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch {
      return []; // no earlier start
    }
  }
}

/**
 * @param {NamedMark} mark
 * @param {'SIGTERM' | 'SIGKILL'} name
 */
function signal(mark, name) {
  try {
    process.kill(mark.pid, name);
  } catch {
    // It ended meanwhile.
  }
}
