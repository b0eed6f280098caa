import type { Batch, Job, SetTarget } from '@spillway/contracts';
import type { LiveConnection } from './live.ts';

export type JobsById = ReadonlyMap<string, Job>;

/** All jobs of a batch or with a tag, followed live: those that are there and those that come. Without their log and output. */
export interface SetWatch {
  readonly of: SetTarget;
  /**
   * The jobs by their ids, always the same map: the newest when the watch began, and each other one since it was last heard
   * of. Empty before the first answer.
   */
  readonly jobs: JobsById;
  /** How many jobs the set has; more than are known where it is large. Undefined before the first answer. */
  readonly total: number | undefined;
  /** How a batch stands as a whole, however large it is. Undefined for a tag, and before the first answer. */
  readonly aggregate: Batch | undefined;
  readonly connection: LiveConnection;
  /** Resolves when the watch is closed, rejects with ApiError where the set cannot be watched (any longer). */
  readonly ended: Promise<void>;
  /** Calls `listener` now, if something is known, and after each change. Returns what takes it off again. */
  onChange(listener: (jobs: JobsById) => void): () => void;
  /** Stops watching; the jobs go on. A second call does nothing. */
  close(): void;
}

/** How the live connection drives a watch. */
export interface DrivenSetWatch extends SetWatch {
  update(): void;
  fail(error: Error): void;
}

export interface SetWatchOptions {
  of: SetTarget;
  connection: LiveConnection;
  jobs: JobsById;
  total(): number | undefined;
  aggregate(): Batch | undefined;
  detach(watch: DrivenSetWatch): void;
}

export function createSetWatch({ of, connection, jobs, total, aggregate, detach }: SetWatchOptions): DrivenSetWatch {
  const listeners = new Set<(jobs: JobsById) => void>();
  let isOver = false;
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const ended = new Promise<void>((onClose, onError) => {
    resolve = onClose;
    reject = onError;
  });
  // Who follows by `onChange` need not look at it; its rejection is then no unhandled one.
  ended.catch(() => {});
  const end = (tell: () => void) => {
    if (isOver) return;
    isOver = true;
    listeners.clear();
    detach(watch);
    tell();
  };
  const watch: DrivenSetWatch = {
    of,
    jobs,
    connection,
    ended,
    get total() {
      return total();
    },
    get aggregate() {
      return aggregate();
    },
    onChange(listener) {
      if (!isOver) listeners.add(listener);
      if (total() !== undefined) listener(jobs);
      return () => listeners.delete(listener);
    },
    update() {
      for (const listener of [...listeners]) listener(jobs);
    },
    fail: (error) => end(() => reject(error)),
    close: () => end(resolve),
  };
  return watch;
}
