import type { Redis } from '@spillway/bullmq';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { dropLabels } from '../engine/label-script.ts';
import { KEEP_COMPLETED_S, KEEP_FAILED_S } from '../engine/limits.ts';
import { type EngineQueue, openQueues } from '../engine/queue-handles.ts';
import { reportOthers } from '../engine/unavailable.ts';

/** How often old jobs are looked for; a job may be read for that much longer than promised. */
const SWEEP_MS = 60_000;
/** Jobs forgotten in one call at most. Redis serves nobody else meanwhile: the engine's call for a thousand took 24 ms. */
const CHUNK = 250;

/**
 * Forgets jobs that ended long enough ago, once a minute. The engine can do so whenever a job ends, but then every job
 * pays for it, and a queue in which nothing ends any more forgets nothing. Several workers may sweep one queue; each finds
 * what the others left. Returns the stop.
 */
export function forgetOldJobs(setup: {
  queue: string;
  redis: Redis;
  prefix: string;
  onError: (error: Error) => void;
}): () => void {
  const { queue, redis, prefix, onError } = setup;
  const handle = openQueues(redis, prefix, onError).get(queue);
  const report = reportOthers(onError);
  const timer = setInterval(() => sweep(handle, redis, queueKeys(prefix, queue)).catch(report), SWEEP_MS);
  return () => clearInterval(timer);
}

/** Forgets what is old now, 250 jobs a call: also where much is, after days without a worker or with a shorter time to keep. */
export async function sweep(handle: Pick<EngineQueue, 'clean'>, redis: Redis, keys: QueueKeys): Promise<void> {
  for (const [state, keptS] of [
    ['completed', KEEP_COMPLETED_S],
    ['failed', KEEP_FAILED_S],
  ] as const) {
    let forgotten: string[];
    do {
      // First, while the records still say under which labels their jobs are filed.
      await dropLabels(redis, [keys.labelled, keys[state]], [keys.base, Date.now() - keptS * 1000, CHUNK]);
      forgotten = await handle.clean(keptS * 1000, CHUNK, state);
    } while (forgotten.length === CHUNK);
  }
}
