import type { Redis } from '@spillway/bullmq';
import type { CleanReply, CleanRequest } from '@spillway/contracts';
import { decodeFailure } from '../engine/failure.ts';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { indexesOf, labelParts } from '../engine/labels.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { type Entry, readBehind } from '../engine/read-behind.ts';
import { storedOptions } from '../engine/record.ts';
import { forgetEnded } from './clean-script.ts';
import { decode, encode } from './retry.ts';

/** Jobs that one call forgets, and looks at, where it does not say: about a tenth of a second. */
const LIMIT_DEFAULT = 1000;
/** Jobs that one call looks at: failed and cancelled ones stand together, and one kind may be rare. */
const SCAN_MAX = 10_000;

interface Ended extends Entry {
  /** Keys of the indexes that name it. */
  labels: string[];
}

/**
 * Forgets jobs of a queue that ended long enough ago, oldest end first, in steps of a hundred. Each step is whole by itself but
 * for the labels: ids that a cut leaves in an index are dropped by whoever reads it.
 */
export async function clean(
  { redis, prefix, now }: { redis: Redis; prefix: string; now: () => number },
  queue: string,
  { state, olderThanMs = 0, limit = LIMIT_DEFAULT, cursor }: CleanRequest,
): Promise<CleanReply> {
  const keys = queueKeys(prefix, queue);
  const set = state === 'completed' ? keys.completed : keys.failed;
  let place = cursor ? decode(cursor) : { at: 0, id: '', until: now() - olderThanMs };
  let removed = 0;
  for (let scanned = 0; scanned < SCAN_MAX && removed < limit; ) {
    const entries = (await readBehind(redis, set, place)).slice(0, limit - removed);
    const last = entries.at(-1);
    if (!last) return { removed, more: false };
    removed += await forget(redis, keys, set, await inState(redis, keys, entries, state));
    scanned += entries.length;
    place = { ...place, at: last.at, id: last.id };
  }
  return { removed, more: true, cursor: encode(place) };
}

/** Those that ended in this state, which a set of failed and cancelled ones does not say by itself. */
async function inState(
  redis: Redis,
  keys: QueueKeys,
  entries: readonly Entry[],
  state: CleanRequest['state'],
): Promise<Ended[]> {
  const pipeline = redis.pipeline();
  for (const { id } of entries) pipeline.hmget(keys.job(id), 'opts', 'failedReason');
  const replies = (await pipeline.exec()) ?? [];
  return entries.flatMap((entry, index) => {
    const [error, values] = replies[index] ?? [];
    if (error) throw error;
    const [opts, reason] = values as (string | null)[];
    const isCancelled = decodeFailure(reason ?? '').code === 'cancelled';
    if (state !== 'completed' && isCancelled !== (state === 'cancelled')) return [];
    const labels = indexesOf(storedOptions({ opts: opts ?? '{}' }));
    return [{ ...entry, labels: labels.map((label) => keys.label(...labelParts(label))) }];
  });
}

async function forget(redis: Redis, keys: QueueKeys, set: string, jobs: readonly Ended[]): Promise<number> {
  if (jobs.length === 0) return 0;
  const found = jobs.flatMap(({ id, at }) => [id, at]);
  const gone = new Set((await forgetEnded(redis, [set, keys.events], [keys.base, EVENTS_KEPT, ...found])) as string[]);
  const labels = redis.pipeline();
  for (const job of jobs) if (gone.has(job.id)) for (const label of job.labels) labels.zrem(label, job.id);
  if (labels.length > 0) await labels.exec();
  return gone.size;
}
