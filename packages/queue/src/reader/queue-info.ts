import type { JobType, QueueInfo, WorkerInfo } from '@spillway/contracts';

/** A queue as it is shown: counts from the queue itself, workers and types from the registry. Pure. */
export function toQueueInfo(
  name: string,
  { counts, paused, limits }: Pick<QueueInfo, 'counts' | 'paused' | 'limits'>,
  { types, workers }: { types: readonly JobType[]; workers: readonly WorkerInfo[] },
): QueueInfo {
  return {
    name,
    paused,
    counts,
    workers: workers.filter((worker) => worker.queues.includes(name)).length,
    types: types.filter((type) => type.queue === name).map(({ type }) => type),
    ...(limits && { limits }),
  };
}
