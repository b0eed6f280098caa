import type { Batch, JobEvent, Snapshot, WatchResult, WatchTarget } from '@spillway/contracts';

/** Something that is watched on a live connection: a job, or a set of jobs. It folds; the connection asks and carries. */
export interface Subject {
  /** Whether it has ended, after which nothing is sent of it any more. */
  readonly isOver: boolean;
  /** What to ask for, from where it stands. */
  target(): WatchTarget;
  /** Puts a new question: from now on events wait for its answer. The returned value stands for the question. */
  ask(): object;
  /** Whether that question is the latest and still open; answers to others are worth nothing. */
  awaits(question: object): boolean;
  answer(result: Exclude<WatchResult, { error: unknown }>): void;
  /** @returns whether something is missing, so that it has to be asked again */
  take(event: JobEvent): boolean;
  /** A snapshot that came unasked. */
  takeSnapshot(snapshot: Snapshot): void;
  /** How it stands as a whole, where it is a batch. */
  takeAggregate?(batch: Batch): void;
  /** Tells whoever watches, once for all that was taken in since the last time. */
  publish(): void;
  /** Ends with an error for whoever watches. */
  fail(error: Error): void;
  /** Ends because the client is closed. */
  close(): void;
}
