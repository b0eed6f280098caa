import {
  type Job,
  type JobListQuery,
  type LogPage,
  type OutputPage,
  type QueueInfo,
  queueOf,
  type Snapshot,
  unknownJob,
} from '@spillway/contracts';
import type { Redis } from 'ioredis';
import { queueKeys } from '../engine/keys.ts';
import type { LabelTarget } from '../engine/labels.ts';
import { NO_WINDOW, takeSnapshot, type WatchedFrom, type WindowedSnapshot, windowAfter } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { readBrief } from './brief.ts';
import { readLabelled } from './labelled.ts';
import { listJobs } from './list.ts';
import { listLabelled } from './list-labelled.ts';

export { type Labels, type LabelTarget, targetsOf } from '../engine/labels.ts';
export { toQueueInfo } from './queue-info.ts';

/** Jobs as the world sees them. Nothing here changes anything. All calls fail with `unavailable` while Redis is away. */
export interface Reader {
  /** @throws SpillwayError `job_not_found` */
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
  queue(name: string): Promise<Pick<QueueInfo, 'counts' | 'paused'>>;
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
  return {
    job: async (id) => (await read(id, NO_WINDOW)).job,
    async snapshot(id, after) {
      const { job, cursor, log, output } = await read(id, windowAfter(after));
      return { job, cursor, log, output };
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
    queue: (name) => withRedis(redis, () => readQueue(redis, prefix, name)),
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

async function readQueue(redis: Redis, prefix: string, name: string): Promise<Pick<QueueInfo, 'counts' | 'paused'>> {
  const keys = queueKeys(prefix, name);
  const replies = await redis
    .pipeline()
    .llen(keys.wait)
    .zcard(keys.prioritized)
    .zcard(keys.delayed)
    .zcard(keys.blocked)
    .llen(keys.active)
    .zcard(keys.completed)
    .zcard(keys.failed)
    .hexists(keys.meta, 'paused')
    .exec();
  const [wait = 0, prioritized = 0, delayed = 0, blocked = 0, active = 0, completed = 0, failed = 0, paused = 0] = (
    replies ?? []
  ).map(([error, value]) => {
    if (error) throw error;
    return value as number;
  });
  return { paused: paused === 1, counts: { waiting: wait + prioritized, delayed, blocked, active, completed, failed } };
}
