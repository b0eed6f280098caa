import type { Cursor, JobError, LogLine, OutputChunk, Progress, Snapshot } from './job.ts';
import type { JobState } from './state.ts';

/**
 * One change of one job. `pos` is the position in the queue's event stream: strictly increasing inside a queue.
 * An event carries what changed and nothing else; a watcher folds it into the snapshot it holds.
 */
export type JobEvent = {
  job: string;
  pos: string;
  /** Milliseconds since the epoch, by the clock of Redis. */
  at: number;
} & JobChange;

export type JobChange =
  | { kind: 'state'; state: JobState; result?: unknown; error?: JobError; runAt?: string }
  | { kind: 'report'; progress?: Progress; log?: LogLine[]; output?: OutputChunk[] }
  | { kind: 'removed' };

/** What a client asks to watch. `after` is the cursor of an earlier watch of the same job. */
export interface WatchTarget {
  job: string;
  after?: Cursor;
}

/** The answer for one target: a snapshot to start from, or the reason why there is none. */
export type WatchResult = { job: string; snapshot: Snapshot } | { job: string; error: JobError };

/** What the client sends; each is answered through its acknowledgement. */
export interface ClientToServer {
  watch: (request: { targets: WatchTarget[] }, ack: (reply: WatchReply) => void) => void;
  unwatch: (request: { targets: WatchTarget[] }, ack?: (reply: { ok: true }) => void) => void;
}

export type WatchReply = { results: WatchResult[] } | { error: JobError };

/** What the server sends. */
export interface ServerToClient {
  events: (events: JobEvent[]) => void;
  /** The server cannot promise continuity for these jobs: watch them again with your cursors. */
  resync: (notice: { jobs: string[]; why: string }) => void;
}
