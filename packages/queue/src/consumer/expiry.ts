import type { Job as EngineJob } from '@spillway/bullmq';
import type { StoredOptions } from '../engine/record.ts';
import type { Outcome } from './index.ts';

type Started = Pick<EngineJob, 'attemptsStarted' | 'timestamp'> & {
  opts: Pick<EngineJob['opts'], 'delay'> & Pick<StoredOptions, 'ttlMs'>;
};

/**
 * How a job ends that is no longer worth starting, or undefined where it is. Only its first start counts: one that is
 * tried again, or that lost its worker, was worth it. Pure.
 */
export function expiryOf({ attemptsStarted, timestamp, opts }: Started, now: number): Outcome | undefined {
  const { ttlMs, delay = 0 } = opts;
  if (ttlMs === undefined || attemptsStarted > 1) return undefined;
  const waitedMs = now - timestamp - delay;
  if (waitedMs <= ttlMs) return undefined;
  const message = `expected a worker to be free for the job within ${ttlMs} ms, and it took ${waitedMs} ms`;
  return { kind: 'failed', error: { code: 'expired', message }, retry: false };
}
