import type { FileStore } from '@spillway/files';

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
}

/** The worker's own log, with the job's id, type and attempt bound. */
export interface HandlerLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
