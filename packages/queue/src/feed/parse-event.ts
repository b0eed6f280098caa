import type { AttemptRecord, Cancellation, JobEvent, JobState, Progress } from '@spillway/contracts';
import { decodeFailure } from '../engine/failure.ts';
import { parseAttempt } from '../engine/history.ts';
import { pairs } from '../engine/snapshot.ts';

/** An entry of a queue's event stream: its position and its fields as a flat list. */
export type StreamEntry = [pos: string, fields: string[]];

/** The jobs that somebody wants to hear of. */
export type Wanted = Pick<ReadonlyMap<string, unknown>, 'has'>;

/**
 * What an entry says about a job, or undefined where it says nothing to watchers (bookkeeping of the engine, events of
 * other tools). Entries of jobs that nobody wants are not parsed further: a result may be large. Pure.
 * @throws SyntaxError when a field that should be JSON is none; callers skip such an entry.
 */
export function parseEvent([pos, flat]: StreamEntry, wanted: Wanted): JobEvent | undefined {
  const job = fieldOf(flat, 'jobId');
  if (!job || !wanted.has(job)) return undefined;
  const head = { job, pos, at: Number(pos.slice(0, pos.indexOf('-'))) };
  const name = fieldOf(flat, 'event');
  // Most entries are reports, and are read without a table of their fields.
  if (name === 'report' || name === 'progress') return parseReport(head, flat);
  const fields = pairs(flat);
  switch (name) {
    case 'waiting':
      return { ...head, kind: 'state', state: 'waiting', ...parseEnded(fields), ...parseCounts(fields) };
    case 'active':
      return { ...head, kind: 'state', state: 'active' };
    case 'cancelling':
      return { ...head, kind: 'state', state: 'active', ...cancellation(fields) };
    case 'waiting-children':
      return { ...head, kind: 'state', state: 'blocked' };
    case 'delayed': {
      const ending = parseEnded(fields);
      return {
        ...head,
        kind: 'state',
        state: 'delayed',
        // One that is held back until there is room has no time.
        ...(fields.delay && { runAt: new Date(Number(fields.delay)).toISOString() }),
        ...(ending && { error: ending.ended.error, ...ending }),
      };
    }
    case 'completed':
      return {
        ...head,
        kind: 'state',
        state: 'completed',
        result: JSON.parse(fields.returnvalue ?? 'null') as unknown,
      };
    case 'failed': {
      const error = decodeFailure(fields.failedReason ?? '');
      const state: JobState = error.code === 'cancelled' ? 'cancelled' : 'failed';
      return { ...head, kind: 'state', state, error, ...parseEnded(fields), ...cancellation(fields) };
    }
    case 'removed':
      return { ...head, kind: 'removed' };
    default:
      return undefined;
  }
}

/** Looks a field up in the flat list: of most entries nothing else is ever looked at. */
function fieldOf(flat: readonly string[], name: string): string | undefined {
  for (let index = 0; index < flat.length; index += 2) if (flat[index] === name) return flat[index + 1];
  return undefined;
}

function cancellation({ cancel }: Record<string, string>): { cancel?: Cancellation } {
  return cancel ? { cancel: JSON.parse(cancel) as Cancellation } : {};
}

/** The attempt that ended with this entry, where one of our scripts wrote it. */
function parseEnded({ ended }: Record<string, string>): { ended: AttemptRecord } | undefined {
  return ended ? { ended: parseAttempt(ended) } : undefined;
}

/** The attempt that a job is at, and how many it has in all, where they are not what the state says by itself. */
function parseCounts({ attempt, attempts }: Record<string, string>): { attempt?: number; attempts?: number } {
  return { ...(attempt && { attempt: Number(attempt) }), ...(attempts && { attempts: Number(attempts) }) };
}

type ReportEvent = Extract<JobEvent, { kind: 'report' }>;

function parseReport(head: Pick<JobEvent, 'job' | 'pos' | 'at'>, flat: readonly string[]): ReportEvent {
  const event: ReportEvent = { kind: 'report', job: head.job, pos: head.pos, at: head.at };
  for (let index = 0; index < flat.length; index += 2) {
    const text = flat[index + 1] ?? '';
    switch (flat[index]) {
      case 'data':
        readProgress(event, text);
        break;
      case 'log':
        readLines(event, text, Number(fieldOf(flat, 'logFrom')));
        break;
      case 'output':
        readChunks(event, text, Number(fieldOf(flat, 'outputFrom')));
    }
  }
  return event;
}

function readProgress(event: ReportEvent, text: string): void {
  const progress = text && toProgress(JSON.parse(text));
  if (progress) event.progress = progress;
}

function readLines(event: ReportEvent, text: string, from: number): void {
  const lines = text ? (JSON.parse(text) as string[]) : [];
  if (lines.length > 0) event.log = lines.map((line, index) => ({ n: from + index, line }));
}

function readChunks(event: ReportEvent, text: string, from: number): void {
  const chunks = text ? (JSON.parse(text) as unknown[]) : [];
  if (chunks.length > 0) event.output = chunks.map((chunk, index) => ({ n: from + index, chunk }));
}

/** Other workers on the same queue may report a bare number, as a percentage; ours report an object. */
function toProgress(data: unknown): Progress | undefined {
  if (typeof data === 'number') return { fraction: Math.min(1, Math.max(0, data / 100)) };
  if (typeof data === 'object' && data !== null && 'fraction' in data) return data as Progress;
  return undefined;
}
