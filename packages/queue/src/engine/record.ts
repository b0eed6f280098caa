import { type Cancellation, type Job, type Progress, queueOf } from '@spillway/contracts';
import { decodeFailure } from './failure.ts';
import { PARKED_SCORE } from './limits.ts';

/** A job's hash as Redis holds it: text fields, named by the engine. */
export type JobRecord = Record<string, string>;

/** Options that travel with a job beside the engine's own. */
export interface StoredOptions {
  attempts?: number;
  backoff?: StoredBackoff;
  timeoutMs?: number;
  ttlMs?: number;
  tags?: string[];
  batch?: string;
  tenant?: string;
  /** Whose turns it takes. */
  group?: string;
  /** Its place in the group's line. The engine must not see it: it would line the job up by it. */
  groupPriority?: number;
  /** The engine brings the job into the main line by itself, as it does with members of a flow. */
  ungranted?: true;
  schedule?: string;
}

/** Pauses between attempts, in the engine's own words; it ignores the longest one, which is ours. */
export interface StoredBackoff {
  type: 'fixed' | 'exponential';
  delay: number;
  jitter?: number;
  maxDelay?: number;
}

/** Where the record was found, decided by the script that read it. `score` is the place in its sorted set, if it has one. */
export interface Placement {
  place: 'waiting' | 'delayed' | 'blocked' | 'active' | 'completed' | 'failed';
  score?: string | undefined;
}

export function storedOptions(record: JobRecord): StoredOptions {
  return JSON.parse(record.opts ?? '{}') as StoredOptions;
}

/** Builds the public job out of its record. Pure. */
export function toJob(id: string, placement: Placement, record: JobRecord): Job {
  const options = storedOptions(record);
  const attempt = Number(record.ats ?? 0);
  return {
    id,
    type: record.name ?? '',
    queue: queueOf(id) ?? '',
    ...(record.progress && { progress: JSON.parse(record.progress) as Progress }),
    attempt,
    attempts: attemptsInAll(placement, record, options.attempts ?? 1),
    ...priorityOf(record, options),
    ...(options.group !== undefined && { group: options.group }),
    ...(options.tags && { tags: options.tags }),
    ...(options.batch && { batch: options.batch }),
    ...(options.tenant && { tenant: options.tenant }),
    ...(options.schedule && { schedule: options.schedule }),
    ...(record.parentKey && { parent: idOfKey(record.parentKey) }),
    ...(record.children && { children: childLinks(record).map((child) => child.id) }),
    ...(record.pb && { worker: record.pb }),
    ...times(placement, record),
    ...(record.data && { input: JSON.parse(record.data) as unknown }),
    ...ending(placement, record),
    ...(record.cancel && { cancel: JSON.parse(record.cancel) as Cancellation }),
  };
}

function priorityOf(record: JobRecord, { groupPriority = 0 }: StoredOptions): Pick<Job, 'priority'> {
  const priority = Number(record.priority) || groupPriority;
  return priority > 0 ? { priority } : {};
}

/** A child of a flow's job, as the parent's record names it: in a set, where the engine has them, they have no order. */
export interface ChildLink {
  id: string;
  type: string;
}

export function childLinks({ children }: JobRecord): ChildLink[] {
  if (!children) return [];
  return (JSON.parse(children) as [string, string][]).map(([id, type]) => ({ id, type }));
}

/** The id of the job with this key: the engine names parents and children by their keys. An id has no colon. */
export function idOfKey(key: string): string {
  return key.slice(key.lastIndexOf(':') + 1);
}

/**
 * Starts so far, and the attempts that are left. The engine counts an attempt (`atm`) once it has failed or completed, so
 * starts that lost their worker, or were handed back, are on top of those that the job was given.
 */
function attemptsInAll({ place }: Placement, { ats, atm }: JobRecord, given: number): number {
  const started = Number(ats ?? 0);
  const left = given - Number(atm ?? 0) - (place === 'active' ? 1 : 0);
  return Math.max(started + Math.max(left, 0), 1);
}

function times({ place, score }: Placement, record: JobRecord) {
  return {
    createdAt: isoTime(record.timestamp),
    ...(record.processedOn && { startedAt: isoTime(record.processedOn) }),
    ...(record.finishedOn && { finishedAt: isoTime(record.finishedOn) }),
    ...(place === 'delayed' && Number(score) < PARKED_SCORE && { runAt: isoTime(delayedUntil(score ?? '')) }),
  };
}

/** The state, and what the end left: of the job, or of the attempt before while it waits for the next one. The engine knows no cancelled jobs: they are failed ones with that reason. */
function ending({ place }: Placement, record: JobRecord): Pick<Job, 'state' | 'result' | 'error'> {
  if (place === 'completed') {
    return {
      state: place,
      ...(record.returnvalue !== undefined && { result: JSON.parse(record.returnvalue) as unknown }),
    };
  }
  if (place === 'delayed' && record.failedReason) return { state: place, error: decodeFailure(record.failedReason) };
  if (place !== 'failed') return { state: place };
  const error = decodeFailure(record.failedReason ?? '');
  return { state: error.code === 'cancelled' ? 'cancelled' : 'failed', error };
}

/** The engine scores a delayed job by its due time in milliseconds times 4096, plus a counter that keeps the order. */
function delayedUntil(score: string): number {
  return Math.floor(Number(score) / 4096);
}

function isoTime(ms: string | number | undefined): string {
  return new Date(Number(ms)).toISOString();
}
