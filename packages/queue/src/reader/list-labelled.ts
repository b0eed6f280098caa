import type { Redis } from '@spillway/bullmq';
import type { Job } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { type LabelTarget, labelParts } from '../engine/labels.ts';
import { readBrief } from './brief.ts';
import type { ListQuery } from './index.ts';
import { invalidCursor, readCursor, readSet, writeCursor } from './list.ts';

/** The job behind which the next page begins: its creation, which scores the index, and its id, which orders equal ones. */
interface Place {
  at: number;
  id: string;
}

/** Entries of the index that one step reads, and that one page reads at most where other filters let little through. */
const CHUNK = 100;
const READ_MAX = 1000;

/**
 * One page of the jobs with a batch, a tag or a schedule, newest first, by the label's own index: it costs what it shows, however many
 * other jobs there are. All else that is asked for is looked up in what the index names. `next` as with `listJobs`.
 */
export async function listLabelled(
  redis: Redis,
  prefix: string,
  query: ListQuery,
  known: readonly string[],
): Promise<{ jobs: Job[]; next?: string }> {
  const label = labelOf(query);
  const queues = query.queue ? [query.queue] : known;
  const indexes = queues.map((queue) => queueKeys(prefix, queue).label(...labelParts(label)));
  const jobs: Job[] = [];
  let place = query.cursor === undefined ? undefined : placeIn(query.cursor);
  for (let read = 0; read < READ_MAX && jobs.length < query.limit; read += CHUNK) {
    const places = await readIndexes(redis, indexes, place);
    const taken = take(places, await readFound(redis, prefix, places), query, query.limit - jobs.length);
    jobs.push(...taken.jobs);
    if (taken.used === places.length && places.length < CHUNK) return { jobs };
    place = places[taken.used - 1];
  }
  return { jobs, ...(place && { next: writeCursor(place) }) };
}

/** The index to go through where there are several: the one that names the fewest jobs, most likely. */
function labelOf({ batch, schedule, tag = '' }: ListQuery): LabelTarget {
  if (batch !== undefined) return { batch };
  return schedule === undefined ? { tag } : { schedule };
}

async function readFound(redis: Redis, prefix: string, places: readonly Place[]): Promise<Map<string, Job>> {
  const ids = places.map(({ id }) => id);
  return new Map((await readBrief(redis, prefix, ids)).map(({ job }) => [job.id, job]));
}

/** The first `room` jobs that pass the filter, and how many places were used up for that. Jobs that are gone are left out. */
function take(
  places: readonly Place[],
  found: ReadonlyMap<string, Job>,
  query: ListQuery,
  room: number,
): { jobs: Job[]; used: number } {
  const jobs: Job[] = [];
  for (const [index, { id }] of places.entries()) {
    const job = found.get(id);
    if (job && matches(job, query)) jobs.push(job);
    if (jobs.length === room) return { jobs, used: index + 1 };
  }
  return { jobs, used: places.length };
}

async function readIndexes(redis: Redis, indexes: readonly string[], from: Place | undefined): Promise<Place[]> {
  const parts = await Promise.all(indexes.map((key) => readSet(redis, key, 'waiting', from ?? {}, CHUNK)));
  return parts
    .flat()
    .map(({ at, id }) => ({ at, id }))
    .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    .slice(0, CHUNK);
}

function matches(job: Job, { state, type, tag, schedule }: ListQuery): boolean {
  return (
    (!state || job.state === state) &&
    (!type || job.type === type) &&
    (!tag || (job.tags?.includes(tag) ?? false)) &&
    (!schedule || job.schedule === schedule)
  );
}

function placeIn(cursor: string): Place {
  const { section, at, id } = (readCursor(cursor) ?? {}) as Partial<Place & { section: unknown }>;
  if (section === undefined && Number.isInteger(at) && typeof id === 'string') return { at: Number(at), id };
  throw invalidCursor();
}
