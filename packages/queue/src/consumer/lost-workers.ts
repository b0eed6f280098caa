import type { Redis } from '@spillway/bullmq';
import type { QueueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { recoverLost } from './lost-script.ts';

/** How often each worker asks for lost jobs. Whoever asks first in this time looks, for all workers of the queue. */
const LOOK_MS = 1000;
/** Less than that, so that a worker which looks alone is not held up by its own last look. */
const LOOKED_MS = 900;
/** Running jobs looked at in one call: about a millisecond, in which Redis serves nobody else. */
const CHUNK = 1000;

/** How often a job may lose its worker and be started again; the next time it ends `failed`, with `lost_worker`. */
const MAX_LOST_WORKERS = 3;

/** Brings lost jobs back for as long as it is not stopped. Several workers may look after one queue. Returns the stop. */
export function recoverLostJobs(setup: { redis: Redis; keys: QueueKeys; onError: (error: Error) => void }): () => void {
  const report = reportOthers(setup.onError);
  let looking = false;
  const timer = setInterval(() => {
    // What waits for a Redis that is away must not pile up.
    if (looking || setup.redis.status !== 'ready') return;
    looking = true;
    recover(setup.redis, setup.keys)
      .catch(report)
      .finally(() => {
        looking = false;
      });
  }, LOOK_MS);
  return () => clearInterval(timer);
}

/** Looks once over everything that runs, unless somebody did so just now. */
export async function recover(redis: Redis, keys: QueueKeys, now: () => number = Date.now): Promise<void> {
  let from = 0;
  do {
    from = Number(
      await recoverLost(
        redis,
        [keys.active, keys.wait, keys.failed, keys.events, keys.meta, keys.marker, keys.looked],
        [keys.base, now(), LOOKED_MS, from, CHUNK, MAX_LOST_WORKERS, EVENTS_KEPT],
      ),
    );
  } while (from > 0);
}
