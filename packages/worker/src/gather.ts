import type { JobContext } from './context.ts';
import { UnrecoverableJobError } from './unrecoverable.ts';

/** How jobs of a type are gathered to be run together. */
export interface BatchSettings {
  /** Jobs that one run gets at most. */
  size: number;
  /** How long the first of them waits for more. */
  waitMs: number;
}

/** Jobs that run together. Each has its own input, signal, progress, log, output, steps and attempt. */
export interface JobGroup<Input = unknown> {
  /** The first that came first; one at least. */
  readonly jobs: readonly JobContext<Input>[];
  /** Aborts once the signals of all jobs have: nobody waits for any of them any more. */
  readonly signal: AbortSignal;
}

/**
 * Runs a group. An array with a place for each job, in their order: its result, or an Error, which fails that job alone as
 * if its own handler had thrown it.
 */
export type RunMany<Input, Result> = (
  group: JobGroup<Input>,
) => Promise<readonly (Result | Error)[]> | readonly (Result | Error)[];

interface Member {
  job: JobContext;
  resolve: (result: unknown) => void;
  reject: (reason: unknown) => void;
  /** No longer takes the job out where its signal aborts. */
  stay: () => void;
}

/** Gathers jobs of one type in one worker and runs them together. */
export class Gather {
  readonly #runMany: RunMany<unknown, unknown>;
  readonly #settings: BatchSettings;
  #size: number;
  #waiting: Member[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(runMany: RunMany<unknown, unknown>, settings: BatchSettings) {
    this.#runMany = runMany;
    this.#settings = settings;
    this.#size = settings.size;
  }

  /** Jobs that the type asks for in one run. */
  get wanted(): number {
    return this.#settings.size;
  }

  /** Says how many jobs of the type can be here at once: no group waits for more. */
  bound(concurrency: number): void {
    this.#size = Math.min(this.#settings.size, concurrency);
  }

  /**
   * Resolves with the job's result once its group has run. Rejects with what failed it, and while it waits as soon as its
   * signal aborts; the others of its group are then without it.
   */
  join(job: JobContext): Promise<unknown> {
    if (job.signal.aborted) return Promise.reject(job.signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting = this.#waiting.filter((member) => member.job !== job);
        if (this.#waiting.length === 0) this.#stopWaiting();
        reject(job.signal.reason);
      };
      job.signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push({ job, resolve, reject, stay: () => job.signal.removeEventListener('abort', leave) });
      if (this.#waiting.length >= this.#size) this.#start();
      else this.#timer ??= setTimeout(() => this.#start(), this.#settings.waitMs);
    });
  }

  /** Runs what waits, and from now on every job by itself, at once. Calling it twice is harmless. */
  stop(): void {
    this.#size = 1;
    if (this.#waiting.length > 0) this.#start();
  }

  #start(): void {
    this.#stopWaiting();
    const members = this.#waiting.splice(0);
    for (const { stay } of members) stay();
    void run(this.#runMany, members);
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Runs one job as a group of its own. Rejects with what fails it. */
export async function runAlone<Input, Result>(
  runMany: RunMany<Input, Result>,
  job: JobContext<Input>,
): Promise<Result> {
  const [end] = await endsOf(runMany, { jobs: [job], signal: job.signal });
  if (end instanceof Error) throw end;
  return end as Result;
}

/** Never rejects: each member is told how it has ended. */
async function run(runMany: RunMany<unknown, unknown>, members: readonly Member[]): Promise<void> {
  const jobs = members.map(({ job }) => job);
  const all = whenAllAbort(jobs.map(({ signal }) => signal));
  try {
    const ends = await endsOf(runMany, { jobs, signal: all.signal });
    for (const [index, { resolve, reject }] of members.entries()) {
      const end = ends[index];
      if (end instanceof Error) reject(end);
      else resolve(end);
    }
  } catch (error) {
    for (const { reject } of members) reject(error);
  } finally {
    all.forget();
  }
}

async function endsOf<Input, Result>(
  runMany: RunMany<Input, Result>,
  group: JobGroup<Input>,
): Promise<readonly (Result | Error)[]> {
  const ends: unknown = await runMany(group);
  if (Array.isArray(ends) && ends.length === group.jobs.length) return ends as (Result | Error)[];
  const got = Array.isArray(ends) ? `an array of ${ends.length}` : String(ends);
  throw new UnrecoverableJobError(
    `expected runMany to return an array of ${group.jobs.length}, a result or an Error for each job, got ${got}`,
  );
}

function whenAllAbort(signals: readonly AbortSignal[]): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  let left = signals.length;
  const forget: (() => void)[] = [];
  for (const signal of signals) {
    const onAbort = () => {
      left -= 1;
      if (left === 0) controller.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    forget.push(() => signal.removeEventListener('abort', onAbort));
  }
  return {
    signal: controller.signal,
    forget: () => {
      for (const stop of forget) stop();
    },
  };
}
