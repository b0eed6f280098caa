import type { Redis } from '@spillway/bullmq';
import type { Progress } from '@spillway/contracts';
import type { QueueKeys } from '../engine/keys.ts';
import { LOG_LINE_MAX } from '../engine/limits.ts';
import { isPassing } from '../engine/unavailable.ts';
import { Backlog } from './backlog.ts';
import { encodeChunk } from './chunk.ts';
import { writeReports } from './report-script.ts';

/**
 * What one running job tells its watchers. Calls never wait; they are sent together, about ten times a second a job. What
 * comes much faster than that for long loses its oldest part: a line in the log, a gap in the output's numbers say so.
 */
export interface JobReports {
  /** A message longer than 4,096 characters is cut. */
  progress(value: Progress): void;
  /** A line longer than 4,096 characters is cut, and says so. */
  log(line: string): void;
  /** @throws TypeError for what JSON cannot hold, RangeError for a chunk above 16,384 characters of JSON or 256 levels. */
  output(chunk: unknown): void;
  /** Sends what is left, and resolves once it is written. */
  flush(): Promise<void>;
}

/** What the worker has of them on top. */
export interface OpenReports extends JobReports {
  /** From here on nothing more is taken: a handler that was given up may talk for ever, and `flush` has to end. */
  close(): void;
  /** Sends what is left but for the last report, if there is one: whoever ends the job has to write it in the same step. */
  last(): Promise<LastReport | undefined>;
}

/** What was left to report when the handler ended. */
export interface LastReport {
  /** As WRITE_REPORT_FUNCTION has it. */
  text: string;
  /** Writes it by itself. Never throws. */
  write(): Promise<void>;
  /** Called where it could not be written. */
  onError(error: Error): void;
}

/** Whose reports these are. `attempt` is the number of this start of the job: no two leases of a job have the same one. */
export interface ReportedLease {
  id: string;
  token: string;
  attempt: number;
}

/** Reports of the jobs that one worker runs in one queue. */
export interface Reports {
  open(lease: ReportedLease): OpenReports;
}

/** At most one report a job in this time: fast enough to look live, slow enough not to flood. Lines and chunks add up. */
const INTERVAL_MS = 100;
/** Characters in one call to Redis, about: ten milliseconds or so, in which it serves nobody else. */
const CALL_CHARS_MAX = 1_048_576;

/** What the script takes. */
interface Report {
  id: string;
  token: string;
  attempt: number;
  number: number;
  progress?: string;
  lines: string[];
  skipped: number;
  chunks: string[];
}

interface Pending extends ReportedLease {
  /** How many reports of this attempt have left. */
  count: number;
  progress: Progress | undefined;
  lines: Backlog;
  chunks: Backlog;
  closed: boolean;
  /** A report that Redis could not take for now. It goes first, as it is: perhaps it was written after all. */
  unsent: Report | undefined;
  /** When the last report left, by the clock of this process. */
  sentAt: number;
  /** The report that is on its way. The next one waits for it, so that lines keep their order whatever happens. */
  sending: Promise<void> | undefined;
}

export interface ReportsSetup {
  redis: Redis;
  keys: QueueKeys;
  /** Called when Redis refused a report because its lease is lost. */
  onLost: (lease: ReportedLease) => void;
  onError: (error: Error) => void;
  now?: () => number;
}

export function createReports({ redis, keys, onLost, onError, now = Date.now }: ReportsSetup): Reports {
  const waiting = new Set<Pending>();
  const schedule: { tick?: NodeJS.Immediate | undefined; timer?: NodeJS.Timeout | undefined } = {};

  async function write(reports: readonly Report[]): Promise<void> {
    const texts = reports.map((report) => JSON.stringify(report));
    const written = (await writeReports(redis, [keys.events], [keys.base, ...texts])) as number[];
    for (const [index, report] of reports.entries()) if (written[index] === 0) onLost(report);
  }

  function report(error: unknown): void {
    onError(error instanceof Error ? error : new Error(String(error)));
  }

  /** Sends a report of each of these together. What Redis cannot take for now stays, and is sent again. */
  function send(batch: readonly Pending[]): void {
    const reports = batch.map(takeReport);
    const sending = write(reports)
      .catch((error: unknown) => {
        if (!mayBeSentAgain(error)) return report(error);
        for (const [index, pending] of batch.entries()) pending.unsent = reports[index];
      })
      .then(() => {
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
    for (const batch of inCalls([...waiting].filter(isDue))) send(batch);
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

  async function sendNext(pending: Pending): Promise<void> {
    if (pending.unsent) await pause(INTERVAL_MS);
    if (!pending.sending) send([pending]);
    await pending.sending;
  }

  async function flush(pending: Pending): Promise<void> {
    while (pending.sending || hasMore(pending)) await sendNext(pending);
  }

  async function last(pending: Pending): Promise<LastReport | undefined> {
    while (pending.sending || pending.unsent || pending.lines.exceedsReport || pending.chunks.exceedsReport)
      await sendNext(pending);
    waiting.delete(pending);
    if (!hasMore(pending)) return undefined;
    const left = takeReport(pending);
    return { text: JSON.stringify(left), write: () => write([left]).catch(report), onError };
  }

  return {
    open: (lease) => jobReports(pendingOf(lease), { mark, flush, last }),
  };
}

interface Sender {
  mark(pending: Pending): void;
  flush(pending: Pending): Promise<void>;
  last(pending: Pending): Promise<LastReport | undefined>;
}

function jobReports(pending: Pending, { mark, flush, last }: Sender): OpenReports {
  return {
    progress({ fraction, message }) {
      if (pending.closed) return;
      pending.progress = { fraction, ...(message !== undefined && { message: cutLine(message) }) };
      mark(pending);
    },
    log(line) {
      if (pending.closed) return;
      pending.lines.push(cutLine(line));
      mark(pending);
    },
    output(chunk) {
      const text = encodeChunk(chunk);
      if (pending.closed) return;
      pending.chunks.push(text);
      mark(pending);
    },
    flush: () => flush(pending),
    last: () => last(pending),
    close() {
      pending.closed = true;
    },
  };
}

function pendingOf({ id, token, attempt }: ReportedLease): Pending {
  return {
    id,
    token,
    attempt,
    count: 0,
    progress: undefined,
    lines: new Backlog(),
    chunks: new Backlog(),
    closed: false,
    unsent: undefined,
    sentAt: 0,
    sending: undefined,
  };
}

function hasMore({ unsent, progress, lines, chunks }: Pending): boolean {
  return unsent !== undefined || progress !== undefined || !lines.isEmpty || !chunks.isEmpty;
}

function takeReport(pending: Pending): Report {
  const { unsent } = pending;
  if (unsent) {
    pending.unsent = undefined;
    return unsent;
  }
  const { id, token, attempt, progress } = pending;
  const lines = pending.lines.take();
  const chunks = pending.chunks.take();
  pending.progress = undefined;
  pending.count += 1;
  return {
    id,
    token,
    attempt,
    number: pending.count,
    ...(progress && { progress: JSON.stringify(progress) }),
    lines: lines.dropped > 0 ? [leftOut(lines.dropped), ...lines.texts] : lines.texts,
    skipped: chunks.dropped,
    chunks: chunks.texts,
  };
}

/** Splits jobs into groups whose reports make one call each. */
function inCalls(jobs: readonly Pending[]): Pending[][] {
  const calls: Pending[][] = [];
  let room = 0;
  for (const job of jobs) {
    const chars = job.lines.reportChars + job.chunks.reportChars;
    if (calls.length === 0 || chars > room) {
      calls.push([]);
      room = CALL_CHARS_MAX;
    }
    calls.at(-1)?.push(job);
    room -= chars;
  }
  return calls;
}

/** Redis was not able to, which may change soon; anything else would be refused again for ever. */
function mayBeSentAgain(error: unknown): boolean {
  return error instanceof Error && (isPassing(error) || /^(OOM|BUSY) /.test(error.message));
}

function leftOut(lines: number): string {
  return `[${lines} lines are left out here: they came faster than they could be stored]`;
}

/** Half a character, which a cut may leave, would make the whole call unreadable to the script. */
function cutLine(line: string): string {
  if (line.length <= LOG_LINE_MAX) return wellFormed(line);
  const note = ` … [cut, ${line.length} characters in all]`;
  return wellFormed(line.slice(0, LOG_LINE_MAX - note.length)) + note;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
