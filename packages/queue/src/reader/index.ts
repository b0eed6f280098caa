import type { Redis } from '@spillway/bullmq';
import {
  type Batch,
  type BatchResult,
  type Job,
  type JobListQuery,
  type LogPage,
  type OutputPage,
  type QueueGroups,
  type QueueInfo,
  type QueueLimits,
  queueOf,
  type Snapshot,
  unknownJob,
} from '@spillway/contracts';
import { readBatch } from '../engine/batches.ts';
import { readGroupLimits, readGroups } from '../engine/groups.ts';
import { queueKeys } from '../engine/keys.ts';
import type { LabelTarget } from '../engine/labels.ts';
import { decodeLimits } from '../engine/queue-limits.ts';
import { NO_WINDOW, takeSnapshot, type WatchedFrom, type WindowedSnapshot, windowAfter } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { createPositions, type Positions } from '../rates/positions.ts';
import { listFailures, readResults } from './batches.ts';
import { readBrief } from './brief.ts';
import { readLabelled } from './labelled.ts';
import { listJobs } from './list.ts';
import { listLabelled } from './list-labelled.ts';

export { type Labels, type LabelTarget, targetsOf } from '../engine/labels.ts';
export type { Position } from '../rates/positions.ts';
export { toQueueInfo } from './queue-info.ts';

/** Jobs as the world sees them. Nothing here changes anything. All calls fail with `unavailable` while Redis is away. */
export interface Reader {
  /** With its place in line, where it waits. @throws SpillwayError `job_not_found` */
  job(id: string): Promise<Job>;
  /**
   * A job at one position of its queue's event stream, with the log and output that follow `after`; all of them when `after`
   * names another epoch. @throws job_not_found
   */
  snapshot(id: string, after?: WatchedFrom): Promise<Snapshot>;
  /** At most `most` lines from number `after` on. @throws job_not_found */
  log(id: string, after: number, most: number): Promise<LogPage>;
  /** At most `most` chunks from number `after` on. @throws job_not_found */
  output(id: string, after: number, most: number): Promise<OutputPage>;
  /** One page of jobs, without input and result. `queues` are the known ones. @throws invalid_request for a cursor that is not ours */
  list(query: ListQuery, queues: readonly string[]): Promise<{ jobs: Job[]; next?: string }>;
  /** Jobs as lists show them, each at a position of its queue's event stream. Those that are gone are left out. */
  brief(ids: readonly string[]): Promise<Snapshot[]>;
  /** The newest jobs with a label, and how many there are in these queues (of a tenant's at most 1,000 a queue are counted). */
  labelled(label: LabelTarget, queues: readonly string[], most: number): Promise<Members>;
  /** The jobs of a queue that a list shows first, and how many there are. */
  queued(queue: string, most: number): Promise<Members>;
  /** A batch as it was counted last; undefined where there is none. */
  batch(id: string): Promise<Batch | undefined>;
  /** One page of a batch's failed jobs, newest end first. @throws batch_not_found, invalid_request for a cursor that is not ours */
  failures(
    batch: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ jobs: Job[]; next?: string }>;
  /** What became of each job of a batch, a few at a time, queue by queue. @throws batch_not_found, at the first step */
  results(batch: string): AsyncGenerator<BatchResult[], void>;
  queue(name: string): Promise<Pick<QueueInfo, 'counts' | 'paused' | 'limits'>>;
  /** The groups of a queue that have jobs in line; undefined where none has. */
  groups(queue: string): Promise<QueueGroups | undefined>;
  /** All limits of a queue, its groups' among them. */
  limits(queue: string): Promise<QueueLimits>;
  /** Where those of the jobs stand that wait, in line or for their time: a call or more a queue. */
  positions: Positions;
}

/** A set of jobs: the first of them, newest first, and how many there are in all. */
export interface Members {
  jobs: Snapshot[];
  total: number;
}

export interface ListQuery
  extends Pick<JobListQuery, 'state' | 'queue' | 'type' | 'tag' | 'batch' | 'schedule' | 'cursor'> {
  limit: number;
}

export function createReader({ redis, prefix }: { redis: Redis; prefix: string }): Reader {
  const read = async (id: string, window: Parameters<typeof takeSnapshot>[3]): Promise<WindowedSnapshot> => {
    const queue = queueOf(id);
    const found = queue && (await withRedis(redis, () => takeSnapshot(redis, prefix, { queue, id }, window)));
    if (!found) throw unknownJob(id);
    return found;
  };
  const places = createPositions({ redis, prefix });
  const positions: Positions = (ids) => withRedis(redis, () => places(ids));
  const placed = async (job: Job): Promise<Job> => {
    if (job.state !== 'waiting' && job.state !== 'delayed') return job;
    const found = (await positions([job.id])).get(job.id);
    return found ? { ...job, position: found.position } : job;
  };
  return {
    positions,
    job: async (id) => placed((await read(id, NO_WINDOW)).job),
    async snapshot(id, after) {
      const { job, cursor, log, output } = await read(id, windowAfter(after));
      return { job: await placed(job), cursor, log, output };
    },
    async log(id, after, most) {
      const { log, cursor, first } = await read(id, { ...NO_WINDOW, log: { from: after, most } });
      return { lines: log, first: first.log, next: cursor.log };
    },
    async output(id, after, most) {
      const { output, cursor, first } = await read(id, { ...NO_WINDOW, output: { from: after, most } });
      return { chunks: output, first: first.output, next: cursor.output };
    },
    list: (query, queues) => {
      const list = (query.tag ?? query.batch ?? query.schedule) === undefined ? listJobs : listLabelled;
      return withRedis(redis, () => list(redis, prefix, query, queues));
    },
    brief: (ids) => withRedis(redis, () => readBrief(redis, prefix, ids)),
    labelled: (label, queues, most) => withRedis(redis, () => readLabelled(redis, prefix, label, queues, most)),
    queued: (queue, most) => withRedis(redis, () => readQueued(redis, prefix, queue, most)),
    batch: (id) => withRedis(redis, () => readBatch({ redis, prefix }, id)),
    failures: (batch, page) => withRedis(redis, () => listFailures(redis, prefix, batch, page)),
    results: (batch) => readResults(redis, prefix, batch),
    queue: (name) => withRedis(redis, () => readQueue(redis, prefix, name)),
    limits: (queue) => withRedis(redis, () => readLimits(redis, prefix, queue)),
    groups: (queue) => withRedis(redis, () => readGroups(redis, queueKeys(prefix, queue))),
  };
}

async function readQueued(redis: Redis, prefix: string, queue: string, most: number): Promise<Members> {
  const [{ jobs }, { counts }] = await Promise.all([
    listJobs(redis, prefix, { queue, limit: most }, [queue]),
    readQueue(redis, prefix, queue),
  ]);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  // A list says nothing of positions, and takes several steps: what it found is read again, each job in one.
  return {
    jobs: await readBrief(
      redis,
      prefix,
      jobs.map(({ id }) => id),
    ),
    total,
  };
}

async function readQueue(
  redis: Redis,
  prefix: string,
  name: string,
): Promise<Pick<QueueInfo, 'counts' | 'paused' | 'limits'>> {
  const keys = queueKeys(prefix, name);
  const replies = await redis
    .pipeline()
    .llen(keys.wait)
    .zcard(keys.prioritized)
    .zcard(keys.grouped)
    .zcard(keys.delayed)
    .zcard(keys.blocked)
    .llen(keys.active)
    .zcard(keys.completed)
    .zcard(keys.failed)
    .hmget(keys.meta, 'paused', 'limits')
    .exec();
  const values = (replies ?? []).map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  const [paused, stored] = values.pop() as (string | null)[];
  const [wait = 0, prioritized = 0, grouped = 0, delayed = 0, blocked = 0, active = 0, completed = 0, failed = 0] =
    values as number[];
  const limits = decodeLimits(stored);
  return {
    paused: paused !== null,
    ...(limits && { limits }),
    counts: { waiting: wait + prioritized + grouped, delayed, blocked, active, completed, failed },
  };
}

async function readLimits(redis: Redis, prefix: string, name: string): Promise<QueueLimits> {
  const [{ limits }, groups] = await Promise.all([
    readQueue(redis, prefix, name),
    readGroupLimits(redis, queueKeys(prefix, name)),
  ]);
  return { ...limits, ...(groups && { groups }) };
}
