import type { Job as EngineJob } from 'bullmq';
import type { StoredOptions } from '../engine/record.ts';
import type { Lease } from './index.ts';
import type { JobReports } from './reports.ts';

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
  readonly reports: JobReports;
  /** Resolves when the job is to be handed back. */
  readonly handedBack: Promise<'handed back'>;
  handBack: () => void = () => undefined;
  #controller: AbortController | undefined;

  constructor(job: EngineJob<unknown, unknown, string>, queue: string, reports: JobReports) {
    this.id = job.id ?? '';
    this.type = job.name;
    this.queue = queue;
    this.attempt = job.attemptsStarted;
    this.failures = job.attemptsMade;
    this.hasBackoff = job.opts.backoff !== undefined;
    this.input = job.data;
    this.timeoutMs = (job.opts as StoredOptions).timeoutMs;
    this.reports = reports;
    this.handedBack = new Promise((resolve) => {
      this.handBack = () => resolve('handed back');
    });
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new Error(reason));
  }
}
