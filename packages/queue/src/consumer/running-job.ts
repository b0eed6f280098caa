import type { Job as EngineJob } from '@spillway/bullmq';
import { type Cancellation, CancelledError } from '@spillway/contracts';
import type { StoredOptions } from '../engine/record.ts';
import { cancelled } from './cancellations.ts';
import type { ChildEnd } from './children.ts';
import type { Lease, Outcome } from './index.ts';
import type { LastReport, OpenReports, Reports } from './reports.ts';
import type { JobSteps, Steps } from './steps.ts';

/** What opens the parts of a lease that most jobs never use. */
export interface JobDoors {
  reports: Reports;
  steps: Steps;
  children(id: string): Promise<ChildEnd[]>;
}

/**
 * A job that runs here: what its handler may do with it, and how to end it from outside. Its parts are made when somebody
 * asks for them: most short jobs never do, and making a signal alone cost a twentieth of such a job.
 */
export class RunningJob implements Lease {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly attempt: number;
  readonly failures: number;
  readonly hasBackoff: boolean;
  readonly input: unknown;
  readonly timeoutMs: number | undefined;
  readonly token: string;
  /** When it was taken, by the clock of this process. */
  readonly since = Date.now();
  /** Stops waiting for the handler: its job is handed back, or was cancelled and does not stop. */
  giveUp: () => void = () => undefined;
  #cancellation: Cancellation | undefined;
  #grace: NodeJS.Timeout | undefined;
  #controller: AbortController | undefined;
  readonly #job: object;
  readonly #doors: JobDoors;
  #reports: OpenReports | undefined;
  #hasEndedReports = false;
  #steps: JobSteps | undefined;

  constructor(job: EngineJob<unknown, unknown, string>, token: string, queue: string, doors: JobDoors) {
    this.id = job.id ?? '';
    this.token = token;
    this.type = job.name;
    this.queue = queue;
    this.attempt = job.attemptsStarted;
    this.failures = job.attemptsMade;
    this.hasBackoff = job.opts.backoff !== undefined;
    this.input = job.data;
    this.timeoutMs = (job.opts as StoredOptions).timeoutMs;
    this.#job = job;
    this.#doors = doors;
  }

  get reports(): OpenReports {
    if (this.#reports) return this.#reports;
    this.#reports = this.#doors.reports.open(this);
    // Its handler was given up, and may speak for the first time now.
    if (this.#hasEndedReports) this.#reports.close();
    return this.#reports;
  }

  get steps(): JobSteps {
    this.#steps ??= this.#doors.steps.open(this, this.#job);
    return this.#steps;
  }

  get children(): Lease['children'] {
    return () => this.#doors.children(this.id);
  }

  /** Waits for the handler's outcome, until it is given up. */
  untilOver(run: Promise<Outcome>): Promise<Outcome | 'handed back'> {
    return new Promise((resolve, reject) => {
      this.giveUp = () => resolve(this.#cancellation ? cancelled(this.#cancellation) : 'handed back');
      run.then(resolve, reject);
    });
  }

  /** Takes no more reports from the handler, and sends what is left; nothing to wait for where it never made any. */
  flushReports(): Promise<void> | undefined {
    return this.#closedReports()?.flush();
  }

  /** The same, but for the last report, which is to be written with the job's end. */
  lastReport(): Promise<LastReport | undefined> | undefined {
    return this.#closedReports()?.last();
  }

  #closedReports(): OpenReports | undefined {
    this.#hasEndedReports = true;
    this.#reports?.close();
    return this.#reports;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  /** Tells the handler, and gives it up once the grace time is over. A second call does nothing. */
  cancel(cancellation: Cancellation, graceMs: number): void {
    if (this.#cancellation) return;
    this.#cancellation = cancellation;
    this.abort(new CancelledError(cancellation));
    this.#grace = setTimeout(this.giveUp, graceMs);
  }

  /** What the attempt's outcome means for the job: a handler that fails after a cancel has stopped as it was told. */
  ending(outcome: Outcome): Outcome {
    return this.#cancellation && outcome.kind === 'failed' ? cancelled(this.#cancellation) : outcome;
  }

  /** To be called at the end of the attempt. */
  end(): void {
    clearTimeout(this.#grace);
  }
}
