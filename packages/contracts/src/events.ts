import type { Batch } from './batch.ts';
import type { Cancellation } from './cancellation.ts';
import type { QueueInfo, WorkerInfo } from './http.ts';
import type { AttemptRecord, Cursor, Job, JobError, LogLine, OutputChunk, Progress, Snapshot } from './job.ts';
import type { PlaceInLine } from './place-in-line.ts';
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
  /**
   * `active` with `cancel` is no new attempt: the one that runs is told to stop. `attempt` where it is not what the state says
   * by itself: a start that was handed back does not count.
   */
  | {
      kind: 'state';
      state: JobState;
      result?: unknown;
      cancel?: Cancellation;
      attempt?: number;
      /** Why the job failed or was cancelled; of a delayed one, why its last attempt failed. */
      error?: JobError;
      runAt?: string;
      /** The attempt that ended with this change, where the job goes on: it failed, or its worker was lost. */
      ended?: AttemptRecord;
      /** How many attempts the job has in all now; told where somebody gave it all of them again. */
      attempts?: number;
    }
  | { kind: 'report'; progress?: Progress; log?: LogLine[]; output?: OutputChunk[] }
  /**
   * Where a job stands that waits: read off the queue and no entry of its stream, so it moves no cursor. `pos` is where the
   * stream stood; one that is late, and older than what the job has become, changes nothing.
   */
  | { kind: 'position'; position: PlaceInLine }
  | { kind: 'removed' }
  /** A member of a watched set, before the first event about it; told in sets only. */
  | { kind: 'joined'; snapshot: Snapshot };

/** One job. `after` is the cursor of an earlier watch of it: log and output follow from there. */
export interface JobTarget {
  job: string;
  after?: Cursor;
}

/** Every job of a batch, or with a tag: those that are there and those that come. */
export type SetTarget = { batch: string } | { tag: string };

/** Every job of a queue, or of a key's name: for operators, in the namespace `/ops`. */
export type OpsTarget = { queue: string } | { tenant: string };

/** What a client asks to watch. It names things; rooms are the server's. */
export type WatchTarget = JobTarget | SetTarget | OpsTarget;

/** The answer for one job: a snapshot to start from, or the reason why there is none. */
export type JobWatchResult = { job: string; snapshot: Snapshot } | { job: string; error: JobError };

/**
 * The answer for a set of jobs: the newest of them, each at its own position and as lists show it, and how many there are
 * in all. Events follow for all of them, without log, output and result. A member that is not in `jobs` is told as `joined`,
 * with its snapshot, before its first event. `aggregate` says how a batch stands as a whole, however many jobs are known.
 */
export type SetWatchResult = (SetTarget | OpsTarget) &
  ({ jobs: Snapshot[]; total: number; aggregate?: Batch } | { error: JobError });

export type WatchResult = JobWatchResult | SetWatchResult;

/** An order to a job. `id` is the client's own, so that a repeat after a lost answer is one effect; kept for a day. */
export interface Command {
  id: string;
  job: string;
  do: 'cancel';
  /** Why; at most 500 characters. */
  reason?: string | undefined;
}

export type CommandReply = { done: boolean; job: Job } | { error: JobError };
export type RefreshReply = { expiresAt: string } | { error: JobError };

/** What the client sends; each is answered through its acknowledgement. */
export interface ClientToServer {
  watch: (request: { targets: WatchTarget[] }, ack: (reply: WatchReply) => void) => void;
  unwatch: (request: { targets: WatchTarget[] }, ack?: (reply: { ok: true }) => void) => void;
  command: (command: Command, ack: (reply: CommandReply) => void) => void;
  /** Puts a new token in the place of the one that the connection was opened with. */
  refresh: (request: { token: string }, ack: (reply: RefreshReply) => void) => void;
}

export type WatchReply = { results: WatchResult[] } | { error: JobError };

/** What the server sends. */
export interface ServerToClient {
  /** A frame of events. One that comes from a set names it, and is folded apart: it knows nothing of log, output and result. */
  events: (events: JobEvent[], set?: SetTarget | OpsTarget) => void;
  /** How a watched batch stands as a whole: at most four times a second, and once more when its last job has ended. */
  aggregate: (batch: Batch) => void;
  /** The server cannot promise continuity for these: watch them again with your cursors. */
  resync: (notice: { targets: WatchTarget[]; why: string }) => void;
  /** This process is going away: after `afterMs` open the next connection, watch there, then leave this one. */
  drain: (notice: { afterMs: number }) => void;
  /** The right to watch these has ended (the token expired or was revoked). The connection stays. */
  denied: (notice: { targets: WatchTarget[]; error: JobError }) => void;
}

/** All queues and all workers that are alive. */
export interface Overview {
  queues: QueueInfo[];
  workers: WorkerInfo[];
}

/** What the server sends in the namespace `/ops` on top. */
export interface ServerToOperator extends ServerToClient {
  /** On connect, and then at most once a second while it changes. */
  overview: (overview: Overview) => void;
}
