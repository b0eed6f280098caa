import type { Redis } from '@spillway/bullmq';
import { type JobPatch, queueOf, SpillwayError } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { withPlace } from '../engine/line-script.ts';
import { type ControlOutcome, notFound } from './cancel.ts';
import { rescheduleJob } from './reschedule-script.ts';

/** Changes where and when a job waits. What is absent stays. A delay counts from now; none at all makes the job due. */
export async function reschedule(
  { redis, prefix, now }: { redis: Redis; prefix: string; now: () => number },
  id: string,
  { priority, delayMs }: JobPatch,
): Promise<ControlOutcome> {
  const queue = queueOf(id);
  if (!queue) throw notFound(id);
  const keys = queueKeys(prefix, queue);
  const { wait, prioritized, delayed, blocked, active, priorities, events, meta, marker } = keys;
  const lines = [keys.job(id), wait, prioritized, delayed, blocked, active, priorities, events, meta, marker];
  const at = now();
  const due = delayMs === undefined ? '' : delayMs === 0 ? 0 : at + delayMs;
  const found = await withPlace({ redis, line: wait, id }, (place) =>
    rescheduleJob(redis, lines, [id, priority ?? '', due, at, EVENTS_KEPT, place]),
  );
  return outcome(found, id);
}

function outcome(found: unknown, id: string): ControlOutcome {
  switch (found) {
    case 1:
      return { done: true };
    case 2:
      return { done: false };
    case 0:
      throw notFound(id);
    case -2:
      throw new SpillwayError('job_final', `expected a job that has not ended, got ${id}, which has`);
    case -6:
      throw new SpillwayError(
        'invalid_request',
        `expected a job without a group, or one that waits for its time and keeps its priority, got ${id}`,
      );
    default:
      throw new SpillwayError('job_active', `expected a job that waits, got ${id}, which a worker runs`);
  }
}
