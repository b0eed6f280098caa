import { type Cancellation, CancelledError } from '@spillway/contracts';
import type { Job as EngineJob } from 'bullmq';
import type { StoredOptions } from '../engine/record.ts';
import { cancelled } from './cancellations.ts';
import type { ChildEnd } from './children.ts';
import type { Lease, Outcome } from './index.ts';
import type { OpenReports } from './reports.ts';
import type { JobSteps } from './steps.ts';

/**
 * A job that runs here: what its handler may do with it, and how to end it from outside. Its signal is made when somebody
 * asks for it: most short jobs never do, and making one cost a twentieth of such a job.
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
  readonly reports: OpenReports;
  /** Resolves when the handler is to be waited for no longer: its job is handed back, or was cancelled and does not stop. */
  readonly givenUp: Promise<Outcome | 'handed back'>;
  giveUp: () => void = () => undefined;
  #cancellation: Cancellation | undefined;
  #grace: NodeJS.Timeout | undefined;
  #controller: AbortController | undefined;
  readonly children: () => Promise<ChildEnd[]>;
  readonly #openSteps: () => JobSteps;
  #steps: JobSteps | undefined;

  constructor(
    job: EngineJob<unknown, unknown, string>,
    queue: string,
    held: { reports: OpenReports; steps: () => JobSteps; children: () => Promise<ChildEnd[]> },
  ) {
    this.id = job.id ?? '';
    this.type = job.name;
    this.queue = queue;
    this.attempt = job.attemptsStarted;
    this.failures = job.attemptsMade;
    this.hasBackoff = job.opts.backoff !== undefined;
    this.input = job.data;
    this.timeoutMs = (job.opts as StoredOptions).timeoutMs;
    this.reports = held.reports;
    this.#openSteps = held.steps;
    this.children = held.children;
    this.givenUp = new Promise((resolve) => {
      this.giveUp = () => resolve(this.#cancellation ? cancelled(this.#cancellation) : 'handed back');
    });
  }

  /** Most jobs have none. */
  get steps(): JobSteps {
    this.#steps ??= this.#openSteps();
    return this.#steps;
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
