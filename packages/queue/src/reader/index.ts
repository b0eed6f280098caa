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
import { NO_WINDOW, takeSnapshot, type WatchedFrom, type WindowedSnapshot, windowAfter } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { listJobs } from './list.ts';

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
  queue(name: string): Promise<Pick<QueueInfo, 'counts' | 'paused'>>;
}

export interface ListQuery extends Pick<JobListQuery, 'state' | 'queue' | 'type' | 'tag' | 'cursor'> {
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
    list: (query, queues) => withRedis(redis, () => listJobs(redis, prefix, query, queues)),
    queue: (name) => withRedis(redis, () => readQueue(redis, prefix, name)),
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
