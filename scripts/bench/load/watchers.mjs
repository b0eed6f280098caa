// Holds many watchers in one process of its own, and counts what they get.
import { setTimeout as sleep } from 'node:timers/promises';
import { createCounter } from './counter.mjs';
import { createWatcher } from './watcher.mjs';

/** Connections and first questions under way at a time: the crowd gathers in good order, and only a reconnect is a rush. */
const AT_ONCE = 200;
const POLL_MS = 20;
/** A crowd that is not complete by then never will be: the server does not let it in. */
const GATHER_TIMEOUT_MS = 120_000;

const counter = createCounter();
const tally = { refused: 0, failed: 0, problems: 0, problem: undefined };
const watchers = [];

const orders = {
  /** Opens so many connections. */
  async open({ endpoint, count }) {
    for (let number = 0; number < count; number += 1) watchers.push(createWatcher(endpoint, counter, tally));
    return gathered(inTurns(watchers, (watcher) => watcher.open()));
  },

  /** Each watches one of these jobs, in turn. */
  async watch({ jobs }) {
    return gathered(inTurns(watchers, (watcher, number) => watcher.watch(jobs[number % jobs.length])));
  },

  /** Counts from zero. */
  async reset() {
    counter.reset();
    Object.assign(tally, { refused: 0, failed: 0, problems: 0, problem: undefined });
    return {};
  },

  /** What has come since. */
  read: async () => ({ ...counter.read(), ...tally }),

  /** Waits until each has seen something. */
  async flowing({ timeoutMs }) {
    await until(() => watchers.every(({ seen }) => seen > 0), timeoutMs);
    return {};
  },

  /** Waits until each is back after a cut at `since`; without an answer for those that are not in time. */
  async back({ since, timeoutMs }) {
    await until(() => watchers.every(({ readyAt }) => readyAt > since), timeoutMs);
    return { backAfterMs: watchers.map(({ readyAt }) => (readyAt > since ? readyAt - since : undefined)), ...tally };
  },

  /**
   * Waits until each has seen so many events in all, and the end where `ends`; gives up when nothing has come for `graceMs`.
   * Tells how many are missing.
   */
  async settle({ each, ends, graceMs }) {
    const startedAt = Date.now();
    const complete = ({ seen, ended }) => seen >= each && (ended || !ends);
    while (!watchers.every(complete) && Date.now() - Math.max(startedAt, counter.newsAt) < graceMs)
      await sleep(POLL_MS);
    return {
      settledMs: Math.max(0, counter.newsAt - startedAt),
      missing: watchers.reduce((sum, { seen }) => sum + Math.max(0, each - seen), 0),
      endsMissing: ends ? watchers.filter(({ ended }) => !ended).length : 0,
    };
  },
};

process.on('message', async ({ order, ...plan }) => {
  try {
    process.send({ kind: 'result', ...(await orders[order](plan)) });
  } catch (error) {
    process.send({ kind: 'failure', message: error.stack });
  }
});
process.once('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });

async function inTurns(items, work) {
  let number = 0;
  const lane = async () => {
    while (number < items.length) await work(items[number], number++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function gathered(work) {
  const startedAt = performance.now();
  const late = sleep(GATHER_TIMEOUT_MS, 'late', { ref: false });
  if ((await Promise.race([work, late])) === 'late') {
    throw new Error(`Expected ${watchers.length} watchers to be let in, but only got so far: ${JSON.stringify(tally)}`);
  }
  return { elapsedMs: performance.now() - startedAt, ...tally };
}

async function until(condition, timeoutMs) {
  const giveUpAt = performance.now() + timeoutMs;
  while (!condition() && performance.now() < giveUpAt) await sleep(POLL_MS);
}
