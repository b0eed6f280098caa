import type { Progress } from '@spillway/contracts';
import type { Redis } from 'ioredis';
import type { QueueKeys } from '../engine/keys.ts';
import {
  EVENTS_KEPT,
  LOG_LINE_MAX,
  LOG_LINES_KEPT,
  OUTPUT_CHUNK_MAX,
  OUTPUT_CHUNKS_KEPT,
  OUTPUT_TTL_S,
} from '../engine/limits.ts';
import type { Script } from '../engine/script.ts';
import { writeReports } from './report-script.ts';

/** What one running job tells its watchers. Calls never wait; they are sent together, about ten times a second a job. */
export interface JobReports {
  progress(value: Progress): void;
  /** A line longer than 4,096 characters is cut, and says so. */
  log(line: string): void;
  /** @throws TypeError for what JSON cannot hold, RangeError for a chunk above 16,384 characters of JSON. */
  output(chunk: unknown): void;
  /**
   * Sends what is left. Once it resolves, nothing that the caller then sends on the same connection can overtake it; what
   * ends the job therefore need not wait for the answer.
   */
  flush(): Promise<void>;
}

/** Reports of the jobs that one worker runs in one queue. */
export interface Reports {
  /** `attempt` is the number of this start of the job: no two leases of a job have the same one. */
  open(lease: { id: string; token: string; attempt: number }): JobReports;
}

/** At most one report a job in this time: fast enough to look live, slow enough not to flood. Lines and chunks add up. */
const INTERVAL_MS = 100;
/** Lines or chunks of one job in one report; what comes faster waits in memory for the next one. */
const BATCH_MAX = 500;

interface Pending {
  id: string;
  token: string;
  attempt: number;
  /** How many reports of this attempt have left. */
  count: number;
  progress: Progress | undefined;
  lines: string[];
  chunks: string[];
  /** When the last report left, by the clock of this process. */
  sentAt: number;
  /** The report that is on its way. The next one waits for it, so that lines keep their order whatever happens. */
  sending: Promise<void> | undefined;
}

export interface ReportsSetup {
  redis: Redis;
  keys: QueueKeys;
  /** Called with the job's id when Redis refused a report because its lease is lost. */
  onLost: (id: string) => void;
  onError: (error: Error) => void;
  now?: () => number;
}

export function createReports({ redis, keys, onLost, onError, now = Date.now }: ReportsSetup): Reports {
  const waiting = new Set<Pending>();
  const schedule: { tick?: NodeJS.Immediate | undefined; timer?: NodeJS.Timeout | undefined } = {};

  async function write(batch: readonly Pending[], run: Script | Script['whole']): Promise<void> {
    const reports = batch.map(takeReport);
    try {
      const args = [keys.base, EVENTS_KEPT, LOG_LINES_KEPT, OUTPUT_CHUNKS_KEPT, OUTPUT_TTL_S, JSON.stringify(reports)];
      const written = (await run(redis, [keys.events], args)) as number[];
      for (const [index, done] of written.entries()) if (done === 0) onLost(reports[index]?.id ?? '');
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function send(batch: readonly Pending[]): void {
    const sending = write(batch, writeReports).then(() => {
      for (const pending of batch) {
        pending.sending = undefined;
        if (hasMore(pending)) mark(pending);
      }
    });
    for (const pending of batch) {
      waiting.delete(pending);
      pending.sentAt = now();
      pending.sending = sending;
    }
  }

  function isDue(pending: Pending): boolean {
    return !pending.sending && now() - pending.sentAt >= INTERVAL_MS;
  }

  function sendDue(): void {
    const due = [...waiting].filter(isDue);
    if (due.length > 0) send(due);
    if (waiting.size > 0) wait();
  }

  function wait(): void {
    if (schedule.timer) return;
    schedule.timer = setTimeout(() => {
      schedule.timer = undefined;
      sendDue();
    }, INTERVAL_MS);
  }

  function mark(pending: Pending): void {
    waiting.add(pending);
    if (!isDue(pending)) {
      wait();
      return;
    }
    // The end of this turn of the event loop, so that everything the handlers say in one go travels together.
    schedule.tick ??= setImmediate(() => {
      schedule.tick = undefined;
      sendDue();
    });
  }

  async function flush(pending: Pending): Promise<void> {
    while (pending.sending || exceedsBatch(pending)) {
      if (!pending.sending) send([pending]);
      await pending.sending;
    }
    waiting.delete(pending);
    if (hasMore(pending)) void write([pending], writeReports.whole);
  }

  return {
    open: ({ id, token, attempt }) =>
      jobReports(
        { id, token, attempt, count: 0, progress: undefined, lines: [], chunks: [], sentAt: 0, sending: undefined },
        mark,
        flush,
      ),
  };
}

function jobReports(
  pending: Pending,
  mark: (pending: Pending) => void,
  flush: (pending: Pending) => Promise<void>,
): JobReports {
  return {
    progress(value) {
      pending.progress = value;
      mark(pending);
    },
    log(line) {
      pending.lines.push(cutLine(line));
      mark(pending);
    },
    output(chunk) {
      pending.chunks.push(encodeChunk(chunk));
      mark(pending);
    },
    flush: () => flush(pending),
  };
}

function hasMore({ progress, lines, chunks }: Pending): boolean {
  return progress !== undefined || lines.length > 0 || chunks.length > 0;
}

function exceedsBatch({ lines, chunks }: Pending): boolean {
  return lines.length > BATCH_MAX || chunks.length > BATCH_MAX;
}

function takeReport(pending: Pending) {
  const { id, token, attempt, progress } = pending;
  pending.progress = undefined;
  pending.count += 1;
  return {
    id,
    token,
    attempt,
    number: pending.count,
    ...(progress && { progress: JSON.stringify(progress) }),
    lines: pending.lines.splice(0, BATCH_MAX),
    chunks: pending.chunks.splice(0, BATCH_MAX),
  };
}

function cutLine(line: string): string {
  if (line.length <= LOG_LINE_MAX) return line;
  const note = ` … [cut, ${line.length} characters in all]`;
  return line.slice(0, LOG_LINE_MAX - note.length) + note;
}

function encodeChunk(chunk: unknown): string {
  const text: string | undefined = JSON.stringify(chunk);
  if (text === undefined) throw new TypeError(`output: expected something that JSON can hold, got ${typeof chunk}`);
  if (text.length > OUTPUT_CHUNK_MAX) {
    throw new RangeError(
      `output: expected at most ${OUTPUT_CHUNK_MAX} characters of JSON, got ${text.length}; save it as a file and emit its reference`,
    );
  }
  return text;
}
