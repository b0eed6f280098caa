import type { Redis } from '@spillway/bullmq';
import type { Batch, BatchCounts, JobType } from '@spillway/contracts';
import { countMembers, leaveList, settleMembers } from './batch-script.ts';
import { batchKeys, queueKeys } from './keys.ts';
import { LABEL_TTL_S } from './limits.ts';

export interface BatchPlace {
  redis: Redis;
  prefix: string;
}

/** What is submitted once all jobs of a batch have ended: a job of the type, or a call of the address by one. */
export interface OnComplete {
  type: JobType;
  url?: string | undefined;
}

/** What is submitted for a batch that has ended, settled by whoever saw it first. */
export interface Completion {
  job: string;
  counts: BatchCounts;
}

interface BatchRecord {
  id: string;
  fields: Record<string, string>;
  queues: string[];
  /** Whether a process still brings jobs. */
  isWritten: boolean;
}

/** How long a batch counts as being written after its writer was heard of last, and how often a writer says so. */
const WRITER_MS = 15_000;
export const WRITER_BEAT_MS = 5000;

/** Members that one call to Redis looks at: about a millisecond, in which it serves nobody else. */
const CHUNK = 500;

/** Says that a batch begins, or goes on. To be called before its first job is stored. What was said first stays. */
export async function openRecord(
  { redis, prefix }: BatchPlace,
  id: string,
  { now, tenant, onComplete }: { now: number; tenant: string | undefined; onComplete: OnComplete | undefined },
): Promise<void> {
  const { record, writer } = batchKeys(prefix, id);
  const begin = redis.multi().hsetnx(record, 'createdAt', now).hdel(record, 'sealedAt');
  if (tenant) begin.hsetnx(record, 'tenant', tenant);
  if (onComplete) begin.hsetnx(record, 'onComplete', encodeOnComplete(onComplete));
  await executed(begin.expire(record, LABEL_TTL_S).set(writer, 1, 'PX', WRITER_MS).exec());
}

/** Says where jobs of the batch are. To be called before they are stored: what nobody finds, nobody counts. */
export async function addQueues({ redis, prefix }: BatchPlace, id: string, queues: readonly string[]): Promise<void> {
  const key = batchKeys(prefix, id).queues;
  await executed(
    redis
      .multi()
      .sadd(key, ...queues)
      .expire(key, LABEL_TTL_S)
      .exec(),
  );
}

export async function keepWriting({ redis, prefix }: BatchPlace, id: string, refused: number): Promise<void> {
  const { record, writer } = batchKeys(prefix, id);
  await executed(redis.multi().hset(record, 'refused', refused).set(writer, 1, 'PX', WRITER_MS).exec());
}

/** Says that no more jobs come. The first time counts. */
export async function sealRecord(
  { redis, prefix }: BatchPlace,
  id: string,
  { now, refused }: { now: number; refused?: number },
): Promise<void> {
  const { record, writer } = batchKeys(prefix, id);
  const seal = redis.multi().hsetnx(record, 'sealedAt', now).del(writer);
  if (refused !== undefined) seal.hset(record, 'refused', refused);
  await executed(seal.exec());
}

/** Keeps what is known of a batch for as long as its jobs are open, which may wait for longer than anything is kept. */
export async function prolong({ redis, prefix }: BatchPlace, id: string): Promise<void> {
  const { record, queues } = batchKeys(prefix, id);
  await executed(redis.multi().expire(record, LABEL_TTL_S).expire(queues, LABEL_TTL_S).exec());
}

/** The batch as it was counted; undefined where there is none, or it is no longer kept. */
export async function readBatch(place: BatchPlace, id: string): Promise<Batch | undefined> {
  const record = await readRecord(place, id);
  return record && toBatch(record, await readCounts(place, record));
}

/** The queues that jobs of the batch are in, in the order of their names; undefined where there is no such batch. */
export async function queuesOf(place: BatchPlace, id: string): Promise<string[] | undefined> {
  return (await readRecord(place, id))?.queues;
}

async function readRecord({ redis, prefix }: BatchPlace, id: string): Promise<BatchRecord | undefined> {
  const { record, queues, writer } = batchKeys(prefix, id);
  const [fields, names, writes] = (await executed(
    redis.pipeline().hgetall(record).smembers(queues).exists(writer).exec(),
  )) as [Record<string, string>, string[], number];
  return fields.createdAt === undefined ? undefined : { id, fields, queues: names.sort(), isWritten: writes === 1 };
}

interface Counted extends BatchCounts {
  endedAt: number;
  active: number;
}

async function readCounts({ redis, prefix }: BatchPlace, { id, queues }: BatchRecord): Promise<Counted> {
  const sum: Counted = { total: 0, open: 0, completed: 0, failed: 0, cancelled: 0, removed: 0, endedAt: 0, active: 0 };
  const parts = await Promise.all(
    queues.map((queue) => {
      const { active, batch } = queueKeys(prefix, queue);
      const { counts, open, failed, cancelled } = batch(id);
      return countMembers(redis, [counts, open, failed, cancelled, active], []) as Promise<number[]>;
    }),
  );
  for (const part of parts) {
    const [total = 0, completed = 0, removed = 0, endedAt = 0, open = 0, failed = 0, cancelled = 0, active = 0] = part;
    sum.total += total;
    sum.open += open;
    sum.completed += completed;
    sum.failed += failed;
    sum.cancelled += cancelled;
    sum.removed += removed;
    sum.active += active;
    sum.endedAt = Math.max(sum.endedAt, endedAt);
  }
  return sum;
}

/** Pure. */
function toBatch({ id, fields }: BatchRecord, { endedAt, ...counts }: Counted): Batch {
  const { createdAt, sealedAt, refused = '0' } = fields;
  const onComplete = fields.onComplete && decodeOnComplete(fields.onComplete);
  const completion = fields.completion && (JSON.parse(fields.completion) as Completion);
  return {
    id,
    ...counts,
    refused: Number(refused),
    sealed: sealedAt !== undefined,
    createdAt: isoTime(createdAt),
    ...(sealedAt && { sealedAt: isoTime(sealedAt) }),
    // A batch whose jobs have all ended before its last line came ends with that.
    ...(sealedAt && counts.open === 0 && { finishedAt: isoTime(Math.max(endedAt, Number(sealedAt))) }),
    ...(onComplete && {
      onComplete: { type: onComplete.type.type, ...(completion && { job: completion.job }) },
    }),
  };
}

/**
 * Counts open members of the batch in one queue whose end nobody has counted, because the process that saw it is gone.
 * Looks at about `most` of them. Returns how many are open then.
 */
export async function repair(place: BatchPlace, id: string, queue: string, most = Number.POSITIVE_INFINITY) {
  const { redis, prefix } = place;
  const keys = queueKeys(prefix, queue);
  const { open } = keys.batch(id);
  let cursor = '0';
  let looked = 0;
  let left = 0;
  do {
    const [next, ids] = await redis.sscan(open, cursor, 'COUNT', CHUNK);
    cursor = next;
    looked += ids.length;
    left = ids.length > 0 ? await settle(place, queue, id, ids) : await redis.scard(open);
  } while (cursor !== '0' && looked < most);
  return left;
}

/** Counts those of the members that have ended. Repeating it is harmless. Returns how many are open then. */
export async function settle(
  { redis, prefix }: BatchPlace,
  queue: string,
  batch: string,
  ids: readonly string[],
): Promise<number> {
  const keys = queueKeys(prefix, queue);
  const answer = (await settleMembers(redis, [keys.batch(batch).counts], [keys.base, batch, ...ids])) as number[];
  return answer[1] ?? 0;
}

/** Submits what is to follow a batch. The same completion may be handed in again and again. */
export type Complete = (
  onComplete: OnComplete,
  completion: Completion & { batch: string; tenant: string | undefined },
) => Promise<unknown>;

/**
 * Does what is left to do for a batch: seals one whose writer is gone, and once it is sealed and no member is open, submits
 * what was asked for, exactly once, and takes it off the lists. May be called by anybody, at any time, and again.
 */
export async function conclude(
  place: BatchPlace & { complete: Complete; newJob: (queue: string) => string; now: () => number },
  id: string,
): Promise<void> {
  const { redis, prefix } = place;
  const record = await readRecord(place, id);
  if (!record) return;
  const { fields, queues, isWritten } = record;
  if (fields.sealedAt === undefined) {
    if (isWritten) return;
    await sealRecord(place, id, { now: place.now() });
  }
  const { endedAt: _when, active: _none, ...counts } = await readCounts(place, record);
  if (counts.open > 0) return;
  if (fields.onComplete) await completeOnce(place, record, decodeOnComplete(fields.onComplete), counts);
  for (const queue of queues) {
    const keys = queueKeys(prefix, queue);
    await leaveList(redis, [keys.batches, keys.batch(id).open], [id]);
  }
}

/** Which job follows, and what it is told, is settled in the record first: whoever comes next submits the very same. */
async function completeOnce(
  place: BatchPlace & { complete: Complete; newJob: (queue: string) => string },
  { id, fields }: BatchRecord,
  onComplete: OnComplete,
  counts: BatchCounts,
): Promise<void> {
  const { record } = batchKeys(place.prefix, id);
  const ours: Completion = { job: place.newJob(onComplete.type.queue), counts };
  await place.redis.hsetnx(record, 'completion', JSON.stringify(ours));
  const settled = JSON.parse((await place.redis.hget(record, 'completion')) ?? '') as Completion;
  await place.complete(onComplete, { ...settled, batch: id, tenant: fields.tenant });
}

/** What a later submit needs of a type; the input is made by us. */
function encodeOnComplete({ type: { type, queue, defaults }, url }: OnComplete): string {
  return JSON.stringify({ type: { type, queue, defaults, input: {} }, ...(url && { url }) });
}

function decodeOnComplete(text: string): OnComplete {
  return JSON.parse(text) as OnComplete;
}

async function executed(replies: Promise<[error: Error | null, result: unknown][] | null>): Promise<unknown[]> {
  return ((await replies) ?? []).map(([error, result]) => {
    if (error) throw error;
    return result;
  });
}

function isoTime(ms: string | number | undefined): string {
  return new Date(Number(ms)).toISOString();
}
