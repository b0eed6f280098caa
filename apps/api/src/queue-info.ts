import type { JobType, QueueInfo, WorkerInfo } from '@spillway/contracts';
import type { Services } from './services.ts';

/** A queue as it is shown: counts from the queue itself, workers and types from the registry. */
export async function readQueueInfo(
  name: string,
  { reader, catalogue, registry }: Pick<Services, 'reader' | 'catalogue' | 'registry'>,
): Promise<QueueInfo> {
  const [{ counts, paused }, types, workers] = await Promise.all([
    reader.queue(name),
    catalogue.types(),
    registry.workers(),
  ]);
  return { name, paused, counts, workers: serving(workers, name), types: typesOn(types, name) };
}

function serving(workers: readonly WorkerInfo[], queue: string): number {
  return workers.filter((worker) => worker.queues.includes(queue)).length;
}

function typesOn(types: readonly JobType[], queue: string): string[] {
  return types.filter((type) => type.queue === queue).map(({ type }) => type);
}
