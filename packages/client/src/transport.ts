import type {
  Batch,
  Command,
  CommandReply,
  JobError,
  JobEvent,
  OpsTarget,
  RefreshReply,
  SetTarget,
  Snapshot,
  WatchReply,
  WatchTarget,
} from '@spillway/contracts';
import type { ApiError } from './api-error.ts';

/** What carries the live protocol at the moment, the best first. */
export type Via = 'websocket' | 'sse' | 'polling';

/**
 * What carries the live protocol. It folds nothing; it connects, keeps trying, and says when the line is up or down.
 * After each `up` everything has to be watched again.
 */
export interface Transport {
  /** Starts connecting and keeps at it until `close`. Called again after `refused`, it dials once more. */
  open(): void;
  /** Ends the connection for good and tells the listener nothing more. */
  close(): void;
  /** Only between `up` and `down`, like the others that give an answer. Rejects when no answer comes. */
  watch(targets: WatchTarget[]): Promise<WatchReply>;
  command(command: Command): Promise<CommandReply>;
  /** Puts a new token in the place of the one that the line was opened with. */
  refresh(token: string): Promise<RefreshReply>;
  /**
   * Best effort: what a lost line forgets needs no unwatching. `areOver` where they have ended, which the server knows by
   * itself.
   */
  unwatch(targets: WatchTarget[], areOver?: boolean): void;
}

/** `lost`: a line that stood; `unreachable`: an attempt that got no answer; `busy`: the server said "not now". */
export type DownReason = 'lost' | 'unreachable' | 'busy';

export interface TransportListener {
  /** May come again without a `down` in between: then a new line has taken the place of the one before. */
  up(via: Via): void;
  down(why: DownReason): void;
  /** `set` names the set that they are from; those of a job's own watch come without. */
  events(events: JobEvent[], set?: SetTarget | OpsTarget): void;
  /** A snapshot that came unasked: a stream that was resumed, or a poll. */
  snapshot(snapshot: Snapshot, set?: SetTarget | OpsTarget): void;
  /** How a watched batch stands as a whole. */
  aggregate(batch: Batch): void;
  resync(targets: WatchTarget[]): void;
  /** These can be watched no longer; the line stays. */
  denied(targets: WatchTarget[], error: JobError): void;
  /** The server refuses this client, and trying again with the same key or token is pointless. */
  refused(error: ApiError): void;
}

/** What a single connection also says, beside what a transport as a whole does. */
export interface LineListener extends TransportListener {
  /** The server is going away: the next connection is wanted after this time. */
  drain(afterMs: number): void;
}

export type CreateTransport = (listener: TransportListener) => Transport;
export type CreateLine = (listener: LineListener) => Transport;
