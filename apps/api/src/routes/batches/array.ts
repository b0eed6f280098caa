import { type BatchEntry, SpillwayError } from '@spillway/contracts';
import type { BatchClaim, OnComplete } from '@spillway/queue/producer';
import type { Services } from '../../services.ts';
import { storeEntries } from './entries.ts';

/** What became of the jobs of an array. */
export interface StoredArray {
  id: string;
  replayed: boolean;
  jobs: BatchEntry[];
}

export interface ArrayCall {
  jobs: unknown;
  key: string | undefined;
  tenant: string | undefined;
  onComplete: OnComplete | undefined;
}

/** Stores a batch that came whole. Under a key it is one batch however often it comes, and whoever repeats it finishes it. */
export async function storeArray(services: Services, call: ArrayCall): Promise<StoredArray> {
  const { producer } = services;
  const { key, tenant, onComplete } = call;
  const jobs = arrayOf(call.jobs);
  if (key === undefined) return { ...(await storeAll(services, call, jobs)), replayed: false };
  const means = onComplete ? { jobs, onComplete: [onComplete.type.type, onComplete.url ?? ''] } : jobs;
  const claim = await producer.claimBatch({ key, tenant }, means);
  const { id, replayed, entries } = claim;
  if (entries) return { id, replayed, jobs: entries };
  const stored = await storeAll(services, call, jobs, claim);
  // What the queue had no room for is stored when the batch is sent again.
  if (stored.jobs.some(hadNoRoom)) return { id, replayed, jobs: stored.jobs };
  return { id, replayed, jobs: await claim.settle(stored.jobs) };
}

function hadNoRoom(entry: BatchEntry): boolean {
  return 'error' in entry && entry.error.code === 'queue_full';
}

async function storeAll(
  services: Services,
  { tenant, onComplete }: ArrayCall,
  jobs: readonly unknown[],
  claim?: BatchClaim,
): Promise<{ id: string; jobs: BatchEntry[] }> {
  const { batches, newBatch } = services.producer;
  const writer = batches.open(claim?.id ?? newBatch(), { tenant, onComplete });
  try {
    const context = { services, writer, tenant, place: claim?.place };
    const entries = await storeEntries(context, jobs.length, (index) => jobs[index]);
    writer.refused = refusedOf(entries);
    await writer.seal();
    return { id: writer.id, jobs: entries };
  } finally {
    writer.abandon();
  }
}

export function refusedOf(entries: readonly BatchEntry[]): number {
  return entries.filter((entry) => 'error' in entry).length;
}

/** The schema sees to it, but for a body that is not there. */
function arrayOf(body: unknown): unknown[] {
  if (Array.isArray(body)) return body;
  throw new SpillwayError('invalid_request', 'expected an array of jobs, or a stream of lines, got no body');
}
