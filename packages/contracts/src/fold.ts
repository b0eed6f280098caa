import { advanceCursor } from './cursor.ts';
import type { JobEvent } from './events.ts';
import type { AttemptRecord, Cursor, Job, Snapshot } from './job.ts';
import { comparePositions } from './position.ts';
import { isFinal } from './state.ts';

/** A job as a watcher holds it: the latest snapshot with every later event applied. */
export interface WatchedJob extends Snapshot {
  removed?: boolean;
  /** The numbers of the oldest line and chunk that a bounded watcher still holds; absent while it has dropped nothing. */
  first?: { log: number; output: number };
}

/**
 * Applies one event. Events at or before the held position change nothing, so overlap between a snapshot and the events
 * around it is harmless; log lines and output chunks that are already held are dropped by their number.
 * Returns the same object when nothing changed. Pure.
 */
export function applyEvent(held: WatchedJob, event: JobEvent): WatchedJob {
  if (event.job !== held.job.id) return held;
  if (event.kind === 'position') return isNewerPlace(held, event) ? moveInLine(held, event) : held;
  if (comparePositions(event.pos, held.cursor.pos) <= 0) return held;
  const cursor = advanceCursor(held.cursor, event);
  switch (event.kind) {
    case 'state':
      return { ...held, cursor, job: applyState(held.job, event) };
    case 'report': {
      const log = event.log?.filter((line) => line.n >= held.cursor.log) ?? [];
      const output = event.output?.filter((chunk) => chunk.n >= held.cursor.output) ?? [];
      return {
        ...held,
        cursor,
        job: event.progress ? { ...held.job, progress: event.progress } : held.job,
        log: log.length ? [...held.log, ...log] : held.log,
        output: output.length ? [...held.output, ...output] : held.output,
      };
    }
    case 'removed':
      return { ...held, cursor, removed: true };
    case 'joined':
      return applySnapshot(held, event.snapshot);
  }
}

/** A place is true of the state that it was read in: of a job that has moved since, and as an older one, it says nothing. */
function isNewerPlace(
  { job, cursor, removed }: WatchedJob,
  { pos, position }: JobEvent & { kind: 'position' },
): boolean {
  if (job.state !== 'waiting' || removed || comparePositions(pos, cursor.pos) < 0) return false;
  return Date.parse(position.at) > Date.parse(job.position?.at ?? new Date(0).toISOString());
}

function moveInLine(held: WatchedJob, { position }: JobEvent & { kind: 'position' }): WatchedJob {
  return { ...held, job: { ...held.job, position } };
}

/**
 * Whether log lines or output chunks between what is held and this event are missing. Numbers are dense, so a hole means
 * loss on the way: the watcher watches again from its cursor instead of applying the event. A snapshot, in contrast, may
 * well begin above the cursor: what lies between is no longer kept, and the number of the first line says so.
 */
export function leavesHole(held: { job: Pick<Job, 'id'>; cursor: Cursor }, event: JobEvent): boolean {
  if (event.kind !== 'report' || event.job !== held.job.id) return false;
  if (comparePositions(event.pos, held.cursor.pos) <= 0) return false;
  const { log, output } = held.cursor;
  return (event.log?.[0]?.n ?? log) > log || (event.output?.[0]?.n ?? output) > output;
}

/**
 * Takes in the snapshot that answers the watcher's latest question: the state is replaced, log and output are continued by
 * number. A snapshot from before the held position is the truth too (Redis lost its last writes): what is held of log and
 * output then stays only as far as the snapshot vouches for it. A snapshot of another epoch is the whole job, and nothing
 * that is held of log and output is to be trusted: its numbers may have been given out a second time. The caller drops
 * answers to earlier questions. Pure.
 */
export function applySnapshot(held: WatchedJob | undefined, snapshot: Snapshot): WatchedJob {
  const { job, cursor, log, output } = snapshot;
  if (!held) return { job, cursor, log, output };
  const trusted = sameEpoch(held.cursor, cursor) ? held : NOTHING;
  return {
    // The rest of a job's fields come and go with its state; only the input is for ever, and may be left out of later snapshots.
    job: held.job.input === undefined ? job : { input: held.job.input, ...job },
    cursor,
    log: continued(trusted.log, log, cursor.log),
    output: continued(trusted.output, output, cursor.output),
  };
}

const NOTHING: Pick<Snapshot, 'log' | 'output'> = { log: [], output: [] };

/** A cursor without an epoch was made where none is known, e.g. from pages over HTTP; it is no sign of another life. */
function sameEpoch(held: Cursor, next: Cursor): boolean {
  return held.epoch === undefined || next.epoch === undefined || held.epoch === next.epoch;
}

/** `added` after that part of `held` that comes before it; `end` is the number after the last one that exists. */
function continued<T extends { n: number }>(held: T[], added: T[], end: number): T[] {
  const from = added[0]?.n ?? end;
  const kept = (held.at(-1)?.n ?? -1) < from ? held : held.filter((item) => item.n < from);
  return added.length ? [...kept, ...added] : kept;
}

/** Attempts that a job's history holds at most; older ones go first. */
export const HISTORY_KEPT = 10;

function applyState(held: Job, event: JobEvent & { kind: 'state' }): Job {
  if (event.state === 'active' && event.cancel) return { ...held, cancel: event.cancel };
  const at = new Date(event.at).toISOString();
  const job = withHistory(held, event, at);
  // What the state before left is no longer true: a due time, a place in line, or the end of a job that was retried.
  const {
    runAt: _due,
    position: _place,
    finishedAt: _end,
    error: _error,
    result: _result,
    cancel: asked,
    ...rest
  } = job;
  // Only a retry leads out of a final state, and it takes back that somebody asked for the end.
  const cancel = event.cancel ?? (isFinal(job.state) && !isFinal(event.state) ? undefined : asked);
  const open = cancel ? { ...rest, cancel } : rest;
  switch (event.state) {
    case 'active':
      return startAttempt(open, at);
    case 'completed':
      return {
        ...open,
        state: 'completed',
        finishedAt: at,
        ...(event.result !== undefined && { result: event.result }),
      };
    case 'failed':
    case 'cancelled':
      return { ...open, state: event.state, finishedAt: at, ...(event.error && { error: event.error }) };
    case 'delayed':
      return {
        ...open,
        state: 'delayed',
        ...(event.runAt && { runAt: event.runAt }),
        ...(event.error && { error: event.error }),
      };
    case 'waiting':
      // A start that was handed back does not count; one whose worker was lost does, and costs the job no attempt.
      return { ...open, state: 'waiting', ...countsInLine(job, event) };
    case 'blocked':
      return { ...open, state: 'blocked' };
  }
}

function countsInLine({ state, attempts }: Job, event: JobEvent & { kind: 'state' }): Partial<Job> {
  if (event.attempt !== undefined) return { attempt: event.attempt };
  return { attempts: event.attempts ?? attempts + (state === 'active' ? 1 : 0) };
}

/** Which worker runs it the event does not say, and who ran it before is no longer true. */
function startAttempt({ worker: _before, ...job }: Job, at: string): Job {
  const attempt = job.attempt + 1;
  return { ...job, state: 'active', attempt, attempts: Math.max(job.attempts, attempt), startedAt: at };
}

function withHistory(job: Job, event: JobEvent & { kind: 'state' }, at: string): Job {
  const ended = event.ended ?? endedBy(job, event, at);
  return ended ? { ...job, history: [...(job.history ?? []), ended].slice(-HISTORY_KEPT) } : job;
}

/** The attempt that a final failure ends. */
function endedBy(job: Job, { state, error }: JobEvent & { kind: 'state' }, at: string): AttemptRecord | undefined {
  if (job.state !== 'active' || !error || (state !== 'failed' && state !== 'cancelled')) return undefined;
  const { attempt, worker, startedAt } = job;
  return { attempt, ...(worker && { worker }), ...(startedAt && { startedAt }), endedAt: at, error };
}
