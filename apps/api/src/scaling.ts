import type { QueueScaling } from '@spillway/contracts';
import { type Rates, toScaling } from '@spillway/queue/rates';
import type { Config } from '@spillway/runtime';
import type { Catalogue } from './catalogue.ts';

/** Every queue as its scaling sees it. A wait that is given goes before the configured one. */
export type ReadScaling = (targetWaitMs?: number) => Promise<{ targetWaitMs: number; queues: QueueScaling[] }>;

export function createScaling(
  { rates, catalogue }: { rates: Rates; catalogue: Pick<Catalogue, 'queues'> },
  { targetWaitMs: configuredMs, workerConcurrency }: Pick<Config, 'targetWaitMs' | 'workerConcurrency'>,
): ReadScaling {
  return async (targetWaitMs = configuredMs) => {
    const wish = { targetWaitMs, slotsPerWorker: workerConcurrency };
    const names = await catalogue.queues();
    const queues = await Promise.all(names.map(async (name) => toScaling(name, await rates.read(name), wish)));
    return { targetWaitMs, queues };
  };
}
