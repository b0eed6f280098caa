import { type JobOptions, SpillwayError } from '@spillway/contracts';
import { DELAY_MAX_MS, DELAYED_UNTIL_MAX } from '../engine/limits.ts';

/**
 * For how long a job that is submitted at `fromMs` waits for its time; 0 where that has passed, or it has none. Pure.
 * @throws SpillwayError `invalid_request` for two times, one that does not exist, and one that is too far off
 */
export function delayUntilDue({ delayMs, runAt }: Pick<JobOptions, 'delayMs' | 'runAt'>, fromMs: number): number {
  if (runAt === undefined) return delayMs ?? 0;
  if (delayMs !== undefined) throw refusal(`expected none beside delayMs, got ${runAt}`);
  const dueMs = Date.parse(runAt);
  if (Number.isNaN(dueMs)) throw refusal(`expected a time that exists, got ${runAt}`);
  const latestMs = Math.min(fromMs + DELAY_MAX_MS, DELAYED_UNTIL_MAX);
  if (dueMs > latestMs) throw refusal(`expected a time up to ${new Date(latestMs).toISOString()}, got ${runAt}`);
  return Math.max(0, dueMs - fromMs);
}

function refusal(text: string): SpillwayError {
  const message = `/options/runAt ${text}`;
  return new SpillwayError('invalid_request', message, { errors: [{ pointer: '/options/runAt', message }] });
}
