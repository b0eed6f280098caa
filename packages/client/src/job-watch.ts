import type { WatchedJob } from '@spillway/contracts';

/**
 * One job, followed live to its end. `watch()` starts it; it survives lost connections and needs no attention.
 * It ends by itself when the job reaches a final state, and with an error when there is no such job (any more) or the
 * server refuses. A job that is retried after its end is watched anew.
 */
export interface JobWatch extends AsyncIterable<WatchedJob> {
  readonly id: string;
  /** The job as last heard; undefined before the first answer. */
  readonly current: WatchedJob | undefined;
  /** The job at its end. Rejects with ApiError where it cannot be watched, and when the watch is closed before the end. */
  readonly done: Promise<WatchedJob>;
  /** Calls `listener` now, if something is known, and after each change. Returns what takes it off again. */
  onChange(listener: (job: WatchedJob) => void): () => void;
  /** Stops watching; the job goes on. A second call, or one after the end, does nothing. */
  close(): void;
}

/** How the live connection drives a watch. */
export interface DrivenWatch extends JobWatch {
  update(job: WatchedJob): void;
  finish(job: WatchedJob): void;
  fail(error: Error): void;
}

export function createJobWatch(id: string, detach: (watch: DrivenWatch) => void): DrivenWatch {
  return new FollowedJob(id, detach);
}

class FollowedJob implements DrivenWatch {
  readonly id: string;
  readonly done: Promise<WatchedJob>;
  readonly #detach: (watch: DrivenWatch) => void;
  readonly #listeners = new Set<(job: WatchedJob) => void>();
  #current: WatchedJob | undefined;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void)[] = [];
  #resolve: (job: WatchedJob) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(id: string, detach: (watch: DrivenWatch) => void) {
    this.id = id;
    this.#detach = detach;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who follows by `onChange` or by iteration need not look at `done`; its rejection is then no unhandled one.
    this.done.catch(() => {});
  }

  get current(): WatchedJob | undefined {
    return this.#current;
  }

  onChange(listener: (job: WatchedJob) => void): () => void {
    if (!this.#ended) this.#listeners.add(listener);
    if (this.#current) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }

  update(job: WatchedJob): void {
    if (this.#ended || job === this.#current) return;
    this.#current = job;
    this.#wakeIterators();
    for (const listener of [...this.#listeners]) listener(job);
  }

  finish(job: WatchedJob): void {
    if (this.#ended) return;
    this.update(job);
    this.#end();
    this.#resolve(job);
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.#error = error;
    this.#end();
    this.#reject(error);
  }

  close(): void {
    if (this.#ended) return;
    this.#end();
    this.#reject(new Error(`The watch of job ${this.id} was closed before the job ended`));
  }

  /** Yields the latest state each time it has changed since the last turn. Leaving the loop early closes the watch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedJob, void, undefined> {
    let seen: WatchedJob | undefined;
    try {
      for (;;) {
        if (this.#current && this.#current !== seen) {
          seen = this.#current;
          yield seen;
          continue;
        }
        if (this.#error) throw this.#error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    } finally {
      this.close();
    }
  }

  #end(): void {
    this.#ended = true;
    this.#listeners.clear();
    this.#wakeIterators();
    this.#detach(this);
  }

  #wakeIterators(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
