import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from '../load.mjs';

const POLL_MS = 100;
const DRAIN_TIMEOUT_MS = 180_000;

/** Puts no-op jobs into a system's queue, through its own front door where it has one. No worker may run meanwhile. */
export async function fill(stage, system, count) {
  if (system.fill) await system.fill(count);
  else await fillByHttp(stage, system, count);
  const waiting = await system.queue.waiting();
  if (waiting !== count) throw new Error(`Expected ${count} waiting jobs, but the queue holds ${waiting}.`);
}

async function fillByHttp(stage, system, count) {
  const load = await startLoad(stage, 'http');
  const { failures } = await load.run({ ...system.submit('noop'), connections: 50, amount: count });
  if (failures > 0) throw new Error(`${failures} of ${count} submits failed.`);
}

/** Waits until `count` jobs are completed; `onProgress` hears of each new count. */
export async function drained(queue, count, onProgress = () => {}) {
  const giveUpAt = performance.now() + DRAIN_TIMEOUT_MS;
  let completed = 0;
  while (completed < count) {
    if (performance.now() > giveUpAt) throw new Error(`Only ${completed} of ${count} jobs were completed in time.`);
    await sleep(POLL_MS);
    completed = await queue.completed();
    onProgress(completed);
  }
}
