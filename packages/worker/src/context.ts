import type { FileStore } from '@spillway/files';
import type { ChildEnd } from '@spillway/queue/consumer';

/** What a handler gets. It knows nothing of queues, Redis or sockets. */
export interface JobContext<Input = unknown> {
  readonly id: string;
  readonly type: string;
  /** Numbered from 1. */
  readonly attempt: number;
  readonly input: Input;
  /**
   * Aborts when the job is cancelled (`signal.reason` is a CancelledError then, which says who and why), when the attempt's
   * time is up, when the lease is lost and when the worker must stop.
   */
  readonly signal: AbortSignal;
  /** Where large inputs and results live. */
  readonly files: FileStore;
  readonly logger: HandlerLogger;
  /**
   * Says how far the job is, 0 to 1 (values outside are clamped). Coalesced: about ten values a second reach the watchers,
   * and the last one before the end always does. Never needs awaiting; does nothing once the lease is lost.
   */
  progress(fraction: number, message?: string): void;
  /** Appends a line to the job's log. Lines keep their order and are never coalesced away. */
  log(line: string): void;
  /** Appends a chunk of partial result; anything that JSON can hold. */
  output(chunk: unknown): void;
  /**
   * Runs `run` once for the whole job and remembers what it gave: an attempt that comes to a step which finished in an
   * earlier one, on whatever worker, gets that value and runs nothing. The value is what JSON makes of it, fresh or
   * remembered. A step that throws is not remembered. Two calls with one name at the same time share one run; steps may
   * stand inside steps of other names.
   * @throws TypeError for a name that is no text, a `run` that is no function and a value that JSON cannot hold; RangeError
   * for a name above 100 characters, a value above 64 KB of JSON and a 101st step; the signal's reason once it is aborted;
   * LeaseLostError where the job was lost while `run` ran: nothing is remembered then.
   */
  step<T>(name: string, run: () => Promise<T> | T): Promise<T>;
  /**
   * How the jobs that this one waited for have ended, in the order of their submission; none outside of a flow. Read when it
   * is called. @throws RangeError where their results are above 32 MB of JSON together.
   */
  children(): Promise<ChildEnd[]>;
}

export type { ChildEnd } from '@spillway/queue/consumer';

/** The worker's own log, with the job's id, type and attempt bound. */
export interface HandlerLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
