// A process that submits jobs at a steady rate, as a backend with retries would, and writes down every answer.
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../random.mjs';
import { runErrand } from './errand.mjs';
import { nextErrand } from './requests.mjs';

/** @typedef {{ name: string, url: string, rate: number, seconds: number, seed: number, withKeys: boolean, file: string, watchEvery: number }} Plan */

const TICK_MS = 20;
/** While nobody answers, what waits for an answer must not grow for ever: what is due then is sent once there is room. */
const OPEN_MAX = 500;

process.on('message', async (/** @type {Plan} */ plan) => {
  const stats = await submitAll(plan);
  process.send?.({ kind: 'done', stats });
});
process.once('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });

/** @param {Plan} plan */
async function submitAll(plan) {
  const random = seededRandom(`${plan.name} ${plan.seed}`);
  const file = openSync(plan.file, 'a');
  /** @type {import('../load.mjs').Stats} */
  const stats = { sent: 0, passedOver: 0, retried: {} };
  /** @type {import('./errand.mjs').Desk} */
  const desk = {
    url: plan.url,
    withKeys: plan.withKeys,
    note: (line) => writeSync(file, `${JSON.stringify(line)}\n`),
    countRetried: (causes) => {
      for (const cause of causes) stats.retried[cause] = (stats.retried[cause] ?? 0) + 1;
    },
    watch: everyNth(plan.watchEvery, (id) => process.send?.({ kind: 'watch', id })),
  };
  /** @type {Set<Promise<void>>} */
  const open = new Set();
  const startedAt = performance.now();
  for (;;) {
    const elapsedMs = performance.now() - startedAt;
    const due = Math.min(elapsedMs / 1000, plan.seconds) * plan.rate;
    while (stats.sent < due && open.size < OPEN_MAX) {
      const errand = nextErrand(random, `${plan.seed}-${plan.name}-${stats.sent}`);
      stats.sent += errand.size;
      const run = runErrand(errand, desk).finally(() => open.delete(run));
      open.add(run);
    }
    if (elapsedMs > plan.seconds * 1000) {
      stats.passedOver = Math.max(0, Math.floor(due - stats.sent));
      break;
    }
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  return stats;
}

/** @param {number} every @param {(id: string) => void} act @returns {(id: string) => void} */
function everyNth(every, act) {
  let count = 0;
  return (id) => {
    count += 1;
    if (count % every === 0) act(id);
  };
}
