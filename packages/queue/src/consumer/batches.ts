import type { Redis } from '@spillway/bullmq';
import { type BatchPlace, prolong, repair, settle } from '../engine/batches.ts';
import { queueKeys } from '../engine/keys.ts';
import { settledWithin } from '../engine/settled-within.ts';
import { reportOthers } from '../engine/unavailable.ts';
import type { Conclude } from '../producer/completion.ts';

/**
 * Counts the ends of jobs that belong to batches, after the engine has ended them: those of one turn of the event loop
 * together. An end that this process does not live to count, the sweep counts, here or in another worker.
 */
export interface BatchEnds {
  /** To be called once the engine has ended a job. Never throws. */
  count(batch: string, id: string): void;
  /** What was counted is on its way when this resolves; never waits for Redis beyond half a second. */
  stop(): Promise<void>;
}

export interface BatchEndsSetup {
  queue: string;
  redis: Redis;
  prefix: string;
  conclude: Conclude;
  onError: (error: Error) => void;
  /** Least pause between two sweeps of all workers of the queue together; 5 s. */
  sweepMs?: number | undefined;
}

/** A dead worker's jobs take about ten seconds to come back, so their batch need not be quicker. */
const SWEEP_MS = 5000;
/** A sweep that takes long is followed by a pause so much longer: it may use two per cent of Redis. */
const PAUSE_FACTOR = 50;
/** Longest that a sweep keeps others from sweeping, should its process die in it. */
const SWEEP_MAX_MS = 30_000;
/** At the stop, how long what is on its way is waited for. */
const STOP_MS = 500;

export function countBatchEnds(setup: BatchEndsSetup): BatchEnds {
  const { queue, redis, prefix, conclude, sweepMs = SWEEP_MS } = setup;
  const report = reportOthers(setup.onError);
  const waiting = new Map<string, string[]>();
  const underway = new Set<Promise<void>>();
  let sweeping = false;

  async function settleEnds(batch: string, ids: readonly string[]): Promise<void> {
    if ((await settle({ redis, prefix }, queue, batch, ids)) === 0) await conclude(batch);
  }

  function track(work: Promise<void>): void {
    const tracked: Promise<void> = work.catch(report).finally(() => underway.delete(tracked));
    underway.add(tracked);
  }

  function flush(): void {
    for (const [batch, ids] of waiting) track(settleEnds(batch, ids));
    waiting.clear();
  }

  const timer = setInterval(() => {
    // What waits for a Redis that is away must not pile up.
    if (sweeping || redis.status !== 'ready') return;
    sweeping = true;
    sweep({ redis, prefix, queue, conclude, sweepMs })
      .catch(report)
      .finally(() => {
        sweeping = false;
      });
  }, sweepMs);

  return {
    count(batch, id) {
      if (waiting.size === 0) setImmediate(flush);
      const ids = waiting.get(batch);
      if (ids) ids.push(id);
      else waiting.set(batch, [id]);
    },
    async stop() {
      clearInterval(timer);
      flush();
      await settledWithin(Promise.all(underway), STOP_MS);
    },
  };
}

/** Looks at all batches of the queue that are not concluded, unless somebody did so just now. */
async function sweep(
  setup: BatchPlace & { queue: string; conclude: Conclude; sweepMs: number; now?: () => number },
): Promise<void> {
  const { redis, prefix, queue, conclude, sweepMs, now = Date.now } = setup;
  const { batches, swept } = queueKeys(prefix, queue);
  if ((await redis.exists(batches)) === 0) return;
  if (!(await redis.set(swept, 1, 'PX', SWEEP_MAX_MS, 'NX'))) return;
  const beganAt = now();
  let cursor = '0';
  do {
    const [next, ids] = await redis.sscan(batches, cursor, 'COUNT', 100);
    cursor = next;
    for (const batch of ids) {
      await prolong(setup, batch);
      if ((await repair(setup, batch, queue)) === 0) await conclude(batch);
    }
  } while (cursor !== '0');
  await redis.pexpire(swept, Math.round(Math.max(sweepMs * 0.9, (now() - beganAt) * PAUSE_FACTOR)));
}
