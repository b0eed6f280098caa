import type { StoredBackoff } from '../engine/record.ts';

/** Pauses between attempts where neither the submitter nor the type says: from a second on, doubling, spread by half. */
const DEFAULT_BACKOFF: StoredBackoff = { type: 'exponential', delay: 1000, jitter: 0.5 };

/** Longest pause, whoever asks for it: what should wait for longer than a day is a new job with a time of its own. */
export const RETRY_MAX_MS = 86_400_000;

/**
 * How long to wait before the next attempt, after `failures` failed ones. `afterMs` is what the handler or its type asked
 * for; it goes before what is stored with the job. Pure but for `random` (0 to 1).
 */
export function retryDelay(
  { failures, backoff = DEFAULT_BACKOFF, afterMs }: { failures: number; backoff?: StoredBackoff; afterMs?: number },
  random: () => number = Math.random,
): number {
  if (afterMs !== undefined && !Number.isNaN(afterMs)) return bounded(afterMs, RETRY_MAX_MS);
  const { type, delay, jitter = 0, maxDelay = RETRY_MAX_MS } = backoff;
  const longest = bounded(type === 'fixed' ? delay : delay * 2 ** (failures - 1), maxDelay);
  return Math.round(longest * (1 - jitter * random()));
}

function bounded(ms: number, most: number): number {
  return Math.round(Math.min(Math.max(ms, 0), most, RETRY_MAX_MS));
}
