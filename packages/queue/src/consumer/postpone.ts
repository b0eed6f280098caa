import type { Redis } from '@spillway/bullmq';
import { DelayedError, type Job as EngineJob } from '@spillway/bullmq';
import { encodeFailure } from '../engine/failure.ts';
import type { QueueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { StoredOptions } from '../engine/record.ts';
import type { Outcome } from './index.ts';
import { postponeJob } from './postpone-script.ts';
import { retryDelay } from './retry-delay.ts';

type Failure = Outcome & { kind: 'failed' };

/** Whether the attempt is to be repeated: trying again may help, and attempts are left. Pure. */
export function mayRepeat(
  outcome: Outcome,
  { attemptsMade, opts }: Pick<EngineJob, 'attemptsMade' | 'opts'>,
): outcome is Failure {
  return outcome.kind === 'failed' && outcome.retry && attemptsMade + 1 < (opts.attempts ?? 1);
}

/**
 * Lets the job wait for its next attempt. Never resolves to a result: what it throws tells the engine that the job is no
 * longer its own.
 */
export async function postpone(
  { redis, keys }: { redis: Redis; keys: QueueKeys },
  job: EngineJob<unknown, unknown, string>,
  token: string | undefined,
  { error, retryAfterMs }: Failure,
): Promise<never> {
  const { backoff } = job.opts as StoredOptions;
  const delayMs = retryDelay({
    failures: job.attemptsMade + 1,
    ...(backoff && { backoff }),
    ...(retryAfterMs !== undefined && { afterMs: retryAfterMs }),
  });
  const id = job.id ?? '';
  // Where the lease is lost the job is elsewhere, or the answer to an earlier try was lost: there is nothing left to do.
  await postponeJob(
    redis,
    [keys.job(id), keys.active, keys.delayed, keys.events, keys.marker],
    [id, token ?? '', job.attemptsStarted, Date.now(), delayMs, encodeFailure(error), EVENTS_KEPT, keys.base],
  );
  throw new DelayedError();
}
