import type { ControlReply, JobEvent, WatchedJob } from '@spillway/contracts';
import type { LiveConnection } from './live.ts';

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
  /**
   * Calls `listener` with the events behind each change, each event once and in order, before `onChange` is called for it.
   * What a snapshot brought is no event: who needs everything looks at the job. Returns what takes it off again.
   */
  onEvents(listener: (events: readonly JobEvent[]) => void): () => void;
  /** What this watch is carried by. */
  readonly connection: LiveConnection;
  /**
   * Cancels the job over the live connection: sent again until the server has answered, and one effect however often it
   * arrives. The reply says that it is under way; `done` has the end. Rejects with ApiError where the server refuses, e.g.
   * because the token may only watch.
   */
  cancel(reason?: string): Promise<ControlReply>;
  /** Stops watching; the job goes on. A second call, or one after the end, does nothing. */
  close(): void;
}

/** How the live connection drives a watch. */
export interface DrivenWatch extends JobWatch {
  tell(events: readonly JobEvent[]): void;
  update(job: WatchedJob): void;
  finish(job: WatchedJob): void;
  fail(error: Error): void;
}

export interface JobWatchOptions {
  connection: LiveConnection;
  cancel(reason?: string): Promise<ControlReply>;
  detach(watch: DrivenWatch): void;
}

export function createJobWatch(id: string, options: JobWatchOptions): DrivenWatch {
  return new FollowedJob(id, options);
}

class FollowedJob implements DrivenWatch {
  readonly id: string;
  readonly done: Promise<WatchedJob>;
  readonly #options: JobWatchOptions;
  readonly #listeners = new Set<(job: WatchedJob) => void>();
  readonly #eventListeners = new Set<(events: readonly JobEvent[]) => void>();
  #current: WatchedJob | undefined;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void)[] = [];
  #resolve: (job: WatchedJob) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(id: string, options: JobWatchOptions) {
    this.id = id;
    this.#options = options;
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

  onEvents(listener: (events: readonly JobEvent[]) => void): () => void {
    if (!this.#ended) this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  get connection(): LiveConnection {
    return this.#options.connection;
  }

  cancel(reason?: string): Promise<ControlReply> {
    return this.#options.cancel(reason);
  }

  tell(events: readonly JobEvent[]): void {
    if (!this.#ended) for (const listener of [...this.#eventListeners]) listener(events);
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
    this.#eventListeners.clear();
    this.#wakeIterators();
    this.#options.detach(this);
  }

  #wakeIterators(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
