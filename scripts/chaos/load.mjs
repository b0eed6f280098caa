import { fork } from 'node:child_process';
import { on } from 'node:events';
import path from 'node:path';
import { startProcess } from '../process/start-process.mjs';
import { killGroup } from '../process/stop.mjs';
import { untilReady } from './ready.mjs';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('./load/watchers.mjs').Seen} Seen */
/** @typedef {{ sent: number, passedOver: number, retried: Record<string, number> }} Stats `retried`: requests that were sent again, by what became of them before */

const SUBMITTERS = 2;
const READY_TIMEOUT_MS = 30_000;
/** Jobs that are watched in a second, about. */
const WATCHED_PER_SECOND = 20;
/** What faults hold up is sent a little later, or not at all: so much more is offered than must be accepted. */
const OFFERED = 1.02;
/** The pages' own patience ends before ours. */
const FINISH_GRACE_MS = 10_000;

/**
 * @typedef {object} Load
 * @property {string[]} files where the submitters write down their answers
 * @property {Promise<Stats>} submitted once everything was answered, or given up
 * @property {(withinMs: number) => Promise<Seen[]>} watched asks the watchers what they saw, and gives them that long
 */

/**
 * Starts the submitters and the watchers, each a process of its own.
 * @param {{ folder: string, url: string, options: import('./options.mjs').ChaosOptions, running: import('../start/running.mjs').Running }} setup
 * @returns {Promise<Load>}
 */
export async function startLoad({ folder, url, options, running }) {
  const { rate, seconds, seed, withKeys } = options;
  const start = async (/** @type {string} */ name, /** @type {string} */ script) => {
    const child = await startChild(name, script, (launched) => {
      const end = () => killGroup(launched);
      running.add({ stop: async () => end(), kill: end });
    });
    return child;
  };
  const watchers = await start('watchers', 'watchers.mjs');
  watchers.send({ kind: 'open', url });
  const files = [];
  const all = [];
  for (let n = 1; n <= SUBMITTERS; n++) {
    const name = `s${n}`;
    const submitter = await start(name, 'submitter.mjs');
    const file = path.join(folder, `answers-${name}.ndjson`);
    submitter.on('message', (/** @type {{ kind: string }} */ message) => {
      if (message.kind === 'watch' && watchers.connected) watchers.send(message);
    });
    all.push(messageOf(submitter, 'done', name));
    const watchEvery = Math.max(1, Math.ceil(rate / WATCHED_PER_SECOND));
    submitter.send({ name, url, rate: (rate * OFFERED) / SUBMITTERS, seconds, seed, withKeys, file, watchEvery });
    files.push(file);
  }
  return {
    files,
    submitted: Promise.all(all).then((messages) => sumOf(messages.map(({ stats }) => stats))),
    async watched(withinMs) {
      watchers.send({ kind: 'finish', withinMs });
      return (await messageOf(watchers, 'done', 'watchers', withinMs + FINISH_GRACE_MS)).seen;
    },
  };
}

/** @param {string} name @param {string} script @param {(child: ChildProcess) => void} onLaunch */
function startChild(name, script, onLaunch) {
  const file = path.join(import.meta.dirname, 'load', script);
  const launch = () => fork(file, [], { execArgv: [], detached: true, stdio: ['ignore', 2, 2, 'ipc'] });
  return startProcess({ name, launch, untilReady, readyTimeoutMs: READY_TIMEOUT_MS }, onLaunch);
}

/**
 * @param {ChildProcess} child
 * @param {string} kind
 * @param {string} name
 * @param {number} [withinMs]
 * @returns {Promise<any>} rejects when the child ends before it says so
 */
async function messageOf(child, kind, name, withinMs) {
  const over = new AbortController();
  const end = (/** @type {string} */ how) => over.abort(new Error(`${name} ${how} before it was done`));
  child.once('exit', () => end('ended'));
  const timer = withinMs && setTimeout(() => end(`took longer than ${withinMs / 1000} s`), withinMs);
  try {
    for await (const [message] of on(child, 'message', { signal: over.signal })) {
      if (message.kind === kind) return message;
    }
  } catch (error) {
    throw over.signal.aborted ? over.signal.reason : error;
  } finally {
    clearTimeout(timer || undefined);
  }
}

/** @param {Stats[]} all @returns {Stats} */
function sumOf(all) {
  /** @type {Stats} */
  const sum = { sent: 0, passedOver: 0, retried: {} };
  for (const { sent, passedOver, retried } of all) {
    sum.sent += sent;
    sum.passedOver += passedOver;
    for (const [cause, count] of Object.entries(retried)) sum.retried[cause] = (sum.retried[cause] ?? 0) + count;
  }
  return sum;
}
