import type { Lease, Outcome } from '@spillway/queue/consumer';
import type { Logger } from '@spillway/runtime';
import type { LoadedJob } from './job-type.ts';

/**
 * Asks the type's own backoff, where it has one and nobody said more: neither the handler (`RetryAfterError`,
 * `UnrecoverableJobError`) nor the submitter. One that throws, or answers nonsense, is logged, and the default pauses count.
 */
export function decideRetry(
  outcome: Outcome,
  { decideBackoff }: Pick<LoadedJob, 'decideBackoff'>,
  { failures, hasBackoff }: Pick<Lease, 'failures' | 'hasBackoff'>,
  logger: () => Pick<Logger, 'error'>,
): Outcome {
  if (!decideBackoff || hasBackoff || outcome.kind !== 'failed') return outcome;
  if (!outcome.retry || outcome.retryAfterMs !== undefined) return outcome;
  try {
    const answer = decideBackoff(failures + 1, outcome.cause ?? new Error(outcome.error.message));
    if (answer === false) return { ...outcome, retry: false };
    if (typeof answer === 'number' && answer >= 0) return { ...outcome, retryAfterMs: answer };
    logger().error({ answer: String(answer) }, 'the backoff of the type answered neither false nor milliseconds');
  } catch (err) {
    logger().error({ err }, 'the backoff of the type threw');
  }
  return outcome;
}
