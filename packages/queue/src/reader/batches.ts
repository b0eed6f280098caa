import type { Redis } from '@spillway/bullmq';
import { type BatchResult, type Job, unknownBatch } from '@spillway/contracts';
import { queuesOf } from '../engine/batches.ts';
import { queueKeys } from '../engine/keys.ts';
import { labelParts } from '../engine/labels.ts';
import { BEHIND_MAX, readBehind } from '../engine/read-behind.ts';
import { toJob } from '../engine/record.ts';
import { withRedis } from '../engine/unavailable.ts';
import { readBrief, readFields } from './brief.ts';
import { invalidCursor, readCursor, readSet, writeCursor } from './list.ts';

/** Behind which job a page begins: its end, which scores the set, and its id, which orders equal ones. */
interface Place {
  at: number;
  id: string;
}

/**
 * One page of the jobs of a batch that failed, newest end first, from a set that holds nothing else. Jobs that are no longer
 * kept are left out, so a page may be short. @throws batch_not_found, invalid_request for a cursor that is not ours
 */
export async function listFailures(
  redis: Redis,
  prefix: string,
  batch: string,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ jobs: Job[]; next?: string }> {
  const queues = await queuesOf({ redis, prefix }, batch);
  if (!queues) throw unknownBatch(batch);
  const from = cursor === undefined ? {} : placeIn(cursor);
  const sets = queues.map((queue) => queueKeys(prefix, queue).batch(batch).failed);
  const entries = (await Promise.all(sets.map((set) => readSet(redis, set, 'failed', from, limit + 1))))
    .flat()
    .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
  const page = entries.slice(0, limit);
  const ids = page.map(({ id }) => id);
  const found = new Map((await readBrief(redis, prefix, ids)).map(({ job }) => [job.id, job]));
  const jobs = ids.flatMap((id) => found.get(id) ?? []);
  const last = page.at(-1);
  return { jobs, ...(last && entries.length > limit && { next: writeCursor({ at: last.at, id: last.id }) }) };
}

function placeIn(cursor: string): Place {
  const { at, id } = (readCursor(cursor) ?? {}) as Partial<Place>;
  if (Number.isInteger(at) && typeof id === 'string') return { at: at as number, id };
  throw invalidCursor();
}

/** Jobs whose results are read in one step: a result may be large. */
const READ = 25;

const FIELDS = ['name', 'opts', 'timestamp', 'ats', 'atm', 'finishedOn', 'returnvalue', 'failedReason'];

/**
 * What became of each job of a batch, a few at a time: one queue after the other, in each by the time of submission. Jobs
 * that are no longer kept are left out. @throws batch_not_found
 */
export async function* readResults(redis: Redis, prefix: string, batch: string): AsyncGenerator<BatchResult[], void> {
  const queues = await withRedis(redis, () => queuesOf({ redis, prefix }, batch));
  if (!queues) throw unknownBatch(batch);
  for (const queue of queues) {
    const index = queueKeys(prefix, queue).label(...labelParts({ batch }));
    let place = { at: 0, id: '', until: Number.MAX_SAFE_INTEGER };
    for (;;) {
      const entries = await withRedis(redis, () => readBehind(redis, index, place));
      for (let from = 0; from < entries.length; from += READ) {
        const ids = entries.slice(from, from + READ).map(({ id }) => id);
        yield await withRedis(redis, () => readEnds(redis, prefix, queue, ids));
      }
      if (entries.length < BEHIND_MAX) break;
      place = { ...place, ...entries.at(-1) };
    }
  }
}

async function readEnds(redis: Redis, prefix: string, queue: string, ids: readonly string[]): Promise<BatchResult[]> {
  const [, ...jobs] = await readFields(redis, prefix, { queue, ids }, FIELDS);
  return ids.flatMap((id, index) => {
    const [place, , values] = jobs[index] ?? [];
    if (!place || !values) return [];
    const record = Object.fromEntries(FIELDS.flatMap((field, at) => (values[at] == null ? [] : [[field, values[at]]])));
    const { state, result, error } = toJob(id, { place }, record as Record<string, string>);
    return [{ id, state, ...(result !== undefined && { result }), ...(error && { error }) }];
  });
}
