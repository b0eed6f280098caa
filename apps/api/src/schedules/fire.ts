import { SpillwayError, type TickOutcome } from '@spillway/contracts';
import { type Producer, type SubmittedJob, tickClaim } from '@spillway/queue/producer';
import type { StoredSchedule } from '@spillway/queue/schedules';
import type { Catalogue } from '../catalogue.ts';
import type { Metrics } from '../metrics.ts';
import { checkedType, isNew } from '../routes/jobs/submit.ts';

export interface FireSetup {
  producer: Pick<Producer, 'submit'>;
  catalogue: Catalogue;
  metrics: Pick<Metrics, 'countSubmit'>;
}

/** What stands for the submit beside the schedule itself: a tick, of which there is one job, or the key of a caller. */
export type FiredBy = { tick: number } | { idempotencyKey: string | undefined };

/** Submits a schedule's job. The input is checked again: the type may have changed since. @throws SpillwayError as a submit does */
export async function submitScheduled(
  { producer, catalogue, metrics }: FireSetup,
  { name, definition, tenant, revision }: StoredSchedule,
  by: FiredBy,
): Promise<SubmittedJob> {
  const { input = {}, options, overlap = 'skip' } = definition;
  const type = await checkedType(catalogue, definition);
  const submitted = await producer.submit({
    type,
    input,
    options,
    tenant,
    schedule: { name, overlap },
    ...('tick' in by ? { claim: tickClaim(type.queue, revision, by.tick) } : by),
  });
  if (isNew(submitted)) metrics.countSubmit(type);
  return submitted;
}

/**
 * Submits the job of a tick; once, however often it is called. What cannot be submitted is an outcome as well, so that one
 * schedule holds up no other. @throws SpillwayError `unavailable`: whether the job is stored is not known, so call again
 */
export async function fireTick(setup: FireSetup, schedule: StoredSchedule, tick: number): Promise<TickOutcome> {
  const at = new Date(tick).toISOString();
  try {
    const { id, deduplicated } = await submitScheduled(setup, schedule, { tick });
    if (!deduplicated) return { at, outcome: 'submitted', job: id };
    return { at, outcome: schedule.definition.overlap === 'queue-one' ? 'queued' : 'skipped', job: id };
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'unavailable') throw error;
    const code = error instanceof SpillwayError ? error.code : 'internal';
    return { at, outcome: 'failed', error: { code, message: (error as Error).message } };
  }
}
