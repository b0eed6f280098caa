import {
  type Batch,
  type BatchCancelReply,
  type BatchRetryRequest,
  type RetryFailedReply,
  unknownBatch,
} from '@spillway/contracts';
import {
  addQueues,
  type BatchPlace,
  keepWriting,
  type OnComplete,
  openRecord,
  queuesOf,
  readBatch,
  repair,
  sealRecord,
  WRITER_BEAT_MS,
} from '../engine/batches.ts';
import { queueKeys } from '../engine/keys.ts';
import { withRedis } from '../engine/unavailable.ts';
import type { Cancel } from './cancel.ts';
import { isPassedOver } from './cancel-flow.ts';
import type { Conclude } from './completion.ts';

export type { OnComplete } from '../engine/batches.ts';
export { completionInput } from './completion.ts';

/** A batch that is being written. While its process lives it stays open; afterwards it seals itself within seconds. */
export interface BatchWriter {
  readonly id: string;
  /** To be called before jobs are stored in these queues; costs nothing for those that were named before. */
  reach(queues: Iterable<string>): Promise<void>;
  /** How many jobs were refused so far; told now and then. */
  refused: number;
  /** No more jobs come. */
  seal(): Promise<void>;
  /** Leaves the batch to seal itself, as a process does that dies. A second call, or one after `seal`, does nothing. */
  abandon(): void;
}

/** Batches as a whole. All calls fail with `batch_not_found`, and with `unavailable` while Redis is away. */
export interface Batches {
  /** Begins a batch, or goes on with one that was broken off. Its record is there with the first `reach`, or the seal. */
  open(id: string, options: { tenant: string | undefined; onComplete: OnComplete | undefined }): BatchWriter;
  /** Its counts, after ends that a dead process left uncounted were counted. */
  get(id: string): Promise<Batch>;
  /** Cancels all jobs that have not ended. Those that come while it works may be missed. */
  cancel(id: string, by: string, reason?: string): Promise<BatchCancelReply>;
  /** Retries failed jobs, a part in each call. Those that fail again meanwhile are not met twice. */
  retryFailed(id: string, request: BatchRetryRequest): Promise<RetryFailedReply>;
}

interface BatchesSetup extends BatchPlace {
  now: () => number;
  cancel: Cancel;
  conclude: Conclude;
  retryFailed: (batch: string, queues: readonly string[], request: BatchRetryRequest) => Promise<RetryFailedReply>;
}

/** Open members that a read looks at; what is left of a larger batch is counted by the sweep of the workers. */
const REPAIR_MAX = 10_000;
/** Jobs that are cancelled at the same time. */
const AT_ONCE = 100;

export function createBatches(setup: BatchesSetup): Batches {
  const { redis, retryFailed } = setup;
  const known = async (id: string) => {
    const queues = await queuesOf(setup, id);
    if (!queues) throw unknownBatch(id);
    return queues;
  };
  return {
    open: (id, options) => openBatch(setup, id, options),
    get: (id) => withRedis(redis, () => look(setup, id)),
    async cancel(id, by, reason) {
      const queues = await withRedis(redis, () => known(id));
      const before = await withRedis(redis, () => look(setup, id));
      let stopping = 0;
      for (const queue of queues) stopping += await cancelIn(setup, { batch: id, queue, by, reason });
      const after = await withRedis(redis, () => look(setup, id));
      return { cancelled: after.cancelled - before.cancelled, stopping };
    },
    retryFailed: (id, request) => withRedis(redis, async () => retryFailed(id, await known(id), request)),
  };
}

function openBatch(
  setup: BatchesSetup,
  id: string,
  { tenant, onComplete }: Parameters<Batches['open']>[1],
): BatchWriter {
  const { redis, now, conclude } = setup;
  // Not waited for here: it travels together with what the first `reach` sends.
  const opened = withRedis(redis, () => openRecord(setup, id, { now: now(), tenant, onComplete }));
  opened.catch(() => undefined);
  const reached = new Set<string>();
  // What a beat cannot say, the next one says.
  const beat = setInterval(() => keepWriting(setup, id, writer.refused).catch(() => undefined), WRITER_BEAT_MS).unref();
  const writer: BatchWriter = {
    id,
    refused: 0,
    async reach(queues) {
      const fresh = [...new Set(queues)].filter((queue) => !reached.has(queue));
      if (fresh.length === 0) return;
      await Promise.all([opened, withRedis(redis, () => addQueues(setup, id, fresh))]);
      for (const queue of fresh) reached.add(queue);
    },
    async seal() {
      clearInterval(beat);
      const sealed = withRedis(redis, () => sealRecord(setup, id, { now: now(), refused: writer.refused }));
      await Promise.all([opened, sealed]);
      // Jobs that have ended before could not conclude it.
      if (onComplete) await withRedis(redis, () => conclude(id));
    },
    abandon: () => clearInterval(beat),
  };
  return writer;
}

async function look(setup: BatchesSetup, id: string): Promise<Batch> {
  const queues = await queuesOf(setup, id);
  if (!queues) throw unknownBatch(id);
  for (const queue of queues) await repair(setup, id, queue, REPAIR_MAX);
  await setup.conclude(id);
  const batch = await readBatch(setup, id);
  if (!batch) throw unknownBatch(id);
  return batch;
}

/** Returns how many jobs were told to stop. */
async function cancelIn(
  { redis, prefix, cancel }: BatchesSetup,
  { batch, queue, by, reason }: { batch: string; queue: string; by: string; reason: string | undefined },
): Promise<number> {
  const { open } = queueKeys(prefix, queue).batch(batch);
  const told = new Set<string>();
  let cursor = '0';
  do {
    const [next, ids] = await withRedis(redis, () => redis.sscan(open, cursor, 'COUNT', AT_ONCE));
    cursor = next;
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const some = ids.slice(from, from + AT_ONCE);
      const ordered = await Promise.all(some.map((id) => isOrdered(cancel(id, by, { reason }))));
      const still = await withRedis(redis, () => redis.smismember(open, ...some));
      for (const [index, id] of some.entries()) if (ordered[index] && still[index] === 1) told.add(id);
    }
  } while (cursor !== '0');
  return told.size;
}

/** False for a job that has ended, or was moved, between the list and the order. */
async function isOrdered(cancelled: ReturnType<Cancel>): Promise<boolean> {
  try {
    await cancelled;
    return true;
  } catch (error) {
    if (isPassedOver(error)) return false;
    throw error;
  }
}
