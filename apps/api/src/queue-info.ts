import type { QueueInfo } from '@spillway/contracts';
import { toQueueInfo } from '@spillway/queue/reader';
import type { Services } from './services.ts';

export async function readQueueInfo(
  name: string,
  { reader, catalogue, registry }: Pick<Services, 'reader' | 'catalogue' | 'registry'>,
): Promise<QueueInfo> {
  const [state, types, workers] = await Promise.all([reader.queue(name), catalogue.types(), registry.workers()]);
  return toQueueInfo(name, state, { types, workers });
}
