import type { Redis } from '@spillway/bullmq';
import { type Job, type JobState, queueOf, SpillwayError } from '@spillway/contracts';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { type JobRecord, type Placement, toJob } from '../engine/record.ts';
import type { ListQuery } from './index.ts';

/**
 * Jobs are listed by where they stand: what runs, what waits (last in line first), what is delayed (last due first), what
 * is blocked, then what has ended (newest end first). Each section is one structure that the engine keeps anyway, so a
 * page costs the same at ten jobs and at a million, and submitting pays nothing for an index
 * (docs/decisions/0004-listing.md).
 */
const SECTIONS = [
  { name: 'active', place: 'active', states: ['active'], kind: 'list' },
  { name: 'wait', place: 'waiting', states: ['waiting'], kind: 'list' },
  { name: 'prioritized', place: 'waiting', states: ['waiting'], kind: 'set' },
  { name: 'grouped', place: 'waiting', states: ['waiting'], kind: 'set' },
  { name: 'delayed', place: 'delayed', states: ['delayed'], kind: 'set' },
  { name: 'blocked', place: 'blocked', states: ['blocked'], kind: 'set' },
  { name: 'ended', states: ['completed', 'failed', 'cancelled'], kind: 'ended' },
] as const satisfies readonly { name: string; place?: Placement['place']; states: readonly JobState[]; kind: string }[];

type Section = (typeof SECTIONS)[number];

/** Where the next page begins: a section, a queue inside it (all queues are merged in the last), and a place in the line. */
interface Place {
  section: number;
  queue: number;
  /** In a list: how many jobs stood behind the last one shown, itself included. In a set: its score. */
  at?: number;
  id?: string;
}

interface Entry extends Placement {
  id: string;
  at: number;
}

/** A filter that finds little must not read a whole queue for one page. */
const SCAN_MAX = 1000;
/** A call to Redis asks for at most this many records, so that none holds it for long. */
const CHUNK = 100;

/** What is read at one place: jobs with the place behind each, and where to go on once all are used. */
interface Step {
  found: { job: Job | undefined; place: Place }[];
  next: Place | undefined;
}

/** One page; `next` is absent when there is nothing more. A page may be short, or empty, where a filter let little through. */
export async function listJobs(
  redis: Redis,
  prefix: string,
  query: ListQuery,
  known: readonly string[],
): Promise<{ jobs: Job[]; next?: string }> {
  const queues = query.queue ? [query.queue] : [...known].sort();
  const keys = queues.map((queue) => queueKeys(prefix, queue));
  const jobs: Job[] = [];
  let place: Place | undefined = query.cursor !== undefined ? placeIn(query.cursor) : { section: 0, queue: 0 };
  for (let scanned = 0; place && jobs.length < query.limit && scanned < SCAN_MAX; ) {
    const step = await readStep(redis, prefix, keys, query, place);
    const taken = take(step.found, query, query.limit - jobs.length);
    jobs.push(...taken.jobs);
    scanned += Math.max(step.found.length, 1);
    place = taken.stoppedAt ?? step.next;
  }
  return place ? { jobs, next: writeCursor(place) } : { jobs };
}

async function readStep(
  redis: Redis,
  prefix: string,
  keys: readonly QueueKeys[],
  query: ListQuery,
  place: Place,
): Promise<Step> {
  const section: Section | undefined = SECTIONS[place.section];
  if (!section) return { found: [], next: undefined };
  const wanted = !query.state || (section.states as readonly JobState[]).includes(query.state);
  const entries = wanted ? await readSection(redis, keys, section, place, CHUNK) : [];
  const jobs = await readJobs(redis, prefix, entries);
  const found = entries.map((entry, index) => ({ job: jobs[index], place: { ...place, at: entry.at, id: entry.id } }));
  return { found, next: entries.length < CHUNK ? following(place, section, keys.length) : found.at(-1)?.place };
}

function following(place: Place, section: Section, queues: number): Place | undefined {
  if (section.kind !== 'ended' && place.queue + 1 < queues) return { section: place.section, queue: place.queue + 1 };
  return place.section + 1 < SECTIONS.length ? { section: place.section + 1, queue: 0 } : undefined;
}

/** The first `room` jobs that pass the filter; `stoppedAt` is the last one's place where more was found than fits. */
function take(found: Step['found'], query: ListQuery, room: number): { jobs: Job[]; stoppedAt?: Place } {
  const jobs: Job[] = [];
  for (const [index, { job, place }] of found.entries()) {
    if (!job || !matches(job, query)) continue;
    jobs.push(job);
    if (jobs.length === room && index + 1 < found.length) return { jobs, stoppedAt: place };
  }
  return { jobs };
}

function matches(job: Job, { state, type }: ListQuery): boolean {
  return (!state || job.state === state) && (!type || job.type === type);
}

function readSection(
  redis: Redis,
  keys: readonly QueueKeys[],
  section: Section,
  place: Place,
  most: number,
): Promise<Entry[]> {
  const queue = keys[place.queue];
  if (!queue) return Promise.resolve([]);
  switch (section.kind) {
    case 'list':
      return readList(redis, queue[section.name], section.place, place, most);
    case 'set':
      return readSet(redis, queue[section.name], section.place, place, most);
    case 'ended':
      return readEnded(redis, keys, place, most);
  }
}

/**
 * A line is pushed at its head and taken from its tail, so a place is counted from the tail: jobs taken meanwhile shift
 * it towards jobs that were shown already, never past one that was not. Those are skipped by finding the last one shown.
 */
async function readList(
  redis: Redis,
  key: string,
  place: Placement['place'],
  from: Place,
  most: number,
): Promise<Entry[]> {
  const length = await redis.llen(key);
  const start = from.at === undefined ? 0 : Math.max(0, length - from.at);
  const ids = await redis.lrange(key, start, start + most + (from.id ? CHUNK : 0) - 1);
  const seen = from.id ? ids.indexOf(from.id) : -1;
  return ids.map((id, index): Entry => ({ id, place, at: length - (start + index) })).slice(seen + 1, seen + 1 + most);
}

/** Entries of a sorted set behind a place, highest score first, and highest id first among equal ones. */
export async function readSet(
  redis: Redis,
  key: string,
  place: Placement['place'],
  from: Pick<Place, 'at' | 'id'>,
  most: number,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  // Equal scores share a place; those up to the last one shown are read again and skipped.
  for (let offset = 0; entries.length < most; offset += CHUNK) {
    const flat = await redis.zrevrangebyscore(key, from.at ?? '+inf', '-inf', 'WITHSCORES', 'LIMIT', offset, CHUNK);
    for (let index = 0; index < flat.length; index += 2) {
      const entry: Entry = { id: flat[index] ?? '', place, score: flat[index + 1] ?? '', at: Number(flat[index + 1]) };
      if (isBehind(entry, from)) entries.push(entry);
    }
    if (flat.length < CHUNK * 2) break;
  }
  return entries.slice(0, most);
}

function isBehind(entry: Entry, from: Pick<Place, 'at' | 'id'>): boolean {
  if (from.at === undefined || from.id === undefined) return true;
  return entry.at < from.at || (entry.at === from.at && entry.id < from.id);
}

async function readEnded(redis: Redis, keys: readonly QueueKeys[], from: Place, most: number): Promise<Entry[]> {
  const lists = await Promise.all(
    keys.flatMap((queue) => [
      readSet(redis, queue.completed, 'completed', from, most),
      readSet(redis, queue.failed, 'failed', from, most),
    ]),
  );
  return lists
    .flat()
    .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    .slice(0, most);
}

/** What a list shows of a job: all but input and result, which may be large. */
export const LISTED = [
  'name',
  'opts',
  'timestamp',
  'priority',
  'progress',
  'ats',
  'atm',
  'pb',
  'processedOn',
  'finishedOn',
  'failedReason',
  'parentKey',
  'cancel',
] as const;

async function readJobs(redis: Redis, prefix: string, entries: readonly Entry[]): Promise<(Job | undefined)[]> {
  if (entries.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const { id } of entries) pipeline.hmget(queueKeys(prefix, queueOf(id) ?? '').job(id), ...LISTED);
  const replies = (await pipeline.exec()) ?? [];
  return entries.map((entry, index) => {
    const [error, values] = replies[index] ?? [];
    if (error) throw error;
    const record = toRecord((values ?? []) as (string | null)[]);
    // Removed between the two reads, or not one of ours.
    return record.name === undefined || !queueOf(entry.id) ? undefined : toJob(entry.id, entry, record);
  });
}

export function toRecord(values: readonly (string | null)[]): JobRecord {
  return Object.fromEntries(
    LISTED.flatMap((field, index) => (typeof values[index] === 'string' ? [[field, values[index]]] : [])),
  );
}

/** A cursor is opaque to clients: nothing but JSON in base64url. */
export function writeCursor(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** What a cursor holds, or undefined; whoever wrote it has to look whether it is what they wrote. */
export function readCursor(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}

export function invalidCursor(): SpillwayError {
  return new SpillwayError(
    'invalid_request',
    'expected cursor to be the `next` of an earlier page with the same filters, got something else',
  );
}

function placeIn(cursor: string): Place {
  const place = readCursor(cursor);
  if (isPlace(place)) return place;
  throw invalidCursor();
}

function isPlace(value: unknown): value is Place {
  const { section, queue, at, id } = (value ?? {}) as Record<keyof Place, unknown>;
  const standsSomewhere = Number.isSafeInteger(section) && Number.isSafeInteger(queue);
  // Scores are times, times 4096 for delayed jobs, and places in a line are counts.
  return standsSomewhere && isIntegerOrNothing(at) && (id === undefined || typeof id === 'string');
}

function isIntegerOrNothing(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && Number.isInteger(value));
}
