// A process that submits jobs at a steady rate, as a backend with retries would, and writes down every answer.
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../random.mjs';
import { callUntilAnswered } from './call.mjs';
import { nextErrand } from './requests.mjs';

/** @typedef {import('./requests.mjs').Errand} Errand */
/** @typedef {{ name: string, url: string, rate: number, seconds: number, seed: number, withKeys: boolean, file: string, watchEvery: number }} Plan */

const TICK_MS = 20;
/** While nobody answers, what waits for an answer must not grow for ever: turns that come then are passed over. */
const OPEN_MAX = 500;
const CANCEL_PAUSE_MS = 150;
const CANCEL_PATIENCE_MS = 10_000;
const FINAL = ['completed', 'failed', 'cancelled'];

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
  const note = (/** @type {object} */ line) => writeSync(file, `${JSON.stringify(line)}\n`);
  /** @type {Set<Promise<void>>} */
  const open = new Set();
  const stats = { sent: 0, passedOver: 0, retried: 0 };
  const startedAt = performance.now();
  for (let number = 0; ; ) {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs > plan.seconds * 1000) break;
    for (const due = (elapsedMs / 1000) * plan.rate; number < due; ) {
      const errand = nextErrand(random, `${plan.seed}-${plan.name}-${number}`);
      number += errand.jobs.length;
      if (open.size >= OPEN_MAX) stats.passedOver += errand.jobs.length;
      else {
        stats.sent += errand.jobs.length;
        const run = runErrand(errand, plan, note, stats).finally(() => open.delete(run));
        open.add(run);
      }
    }
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  return stats;
}

/**
 * @param {Errand} errand
 * @param {Plan} plan
 * @param {(line: object) => void} note
 * @param {{ retried: number }} stats
 */
async function runErrand(errand, plan, note, stats) {
  const id = await submit(errand, plan, note, stats);
  if (!id) return;
  if (errand.repeat) await submit(errand, plan, note, stats);
  if (errand.kind === 'cancel-waiting') await cancel(id, plan, note);
  if (errand.kind === 'cancel-active') {
    await untilActive(id, plan);
    await cancel(id, plan, note);
  }
}

let accepted = 0;

/**
 * @param {Errand} errand
 * @param {Plan} plan
 * @param {(line: object) => void} note
 * @param {{ retried: number }} stats
 * @returns {Promise<string | undefined>} the first job's id
 */
async function submit({ key, kind, jobs }, { url, withKeys, watchEvery }, note, stats) {
  const isBatch = jobs.length > 1;
  const { status, body, retried } = await callUntilAnswered(`${url}/v1/${isBatch ? 'batches' : 'jobs'}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(withKeys && { 'idempotency-key': key }),
      // As backends do that hand no job to a browser.
      ...(kind === 'plain' && { prefer: 'return=minimal' }),
    },
    body: JSON.stringify(isBatch ? jobs : jobs[0]),
  });
  stats.retried += retried;
  if (status !== 200 && status !== 202) {
    note({ say: 'refused', key, status, code: body?.code });
    return undefined;
  }
  /** @type {{ id?: string }[]} */
  const entries = isBatch ? body.jobs : [body];
  if (isBatch) note({ say: 'batch', id: body.id, jobs: entries.flatMap(({ id }) => id ?? []) });
  for (const [n, { id }] of entries.entries()) {
    const jobKey = jobs[n]?.input.key;
    if (!id) note({ say: 'refused', key: jobKey, status, code: JSON.stringify(entries[n]).slice(0, 200) });
    else note({ say: 'accepted', key: jobKey, id, kind, at: Date.now(), retried });
    accepted += 1;
    if (id && accepted % watchEvery === 0) process.send?.({ kind: 'watch', id });
  }
  return entries[0]?.id;
}

/** A cancel that comes too early or too late is answered by another truth; what counts is what the answer says. */
async function cancel(
  /** @type {string} */ id,
  /** @type {Plan} */ { url },
  /** @type {(line: object) => void} */ note,
) {
  const { status, body } = await callUntilAnswered(`${url}/v1/jobs/${id}/cancel`, { method: 'POST' });
  note({ say: 'cancel', id, status, state: body?.job?.state, code: body?.code });
}

/** @param {string} id @param {Plan} plan */
async function untilActive(id, { url }) {
  const deadline = Date.now() + CANCEL_PATIENCE_MS;
  while (Date.now() < deadline) {
    const { body } = await callUntilAnswered(`${url}/v1/jobs/${id}`, {});
    if (body?.state === 'active' || FINAL.includes(body?.state)) return;
    await sleep(CANCEL_PAUSE_MS);
  }
}
