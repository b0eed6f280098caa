import { hostname } from 'node:os';
import type { JobError } from '@spillway/contracts';
import { type Job as EngineJob, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { encodeFailure } from '../engine/failure.ts';
import { engineName, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { forgetOldJobs } from './forget.ts';
import { recoverLostJobs } from './lost-workers.ts';
import { mayRepeat, postpone } from './postpone.ts';
import { createRenewals, LEASE_MS } from './renewals.ts';
import { createReports, type JobReports } from './reports.ts';
import { RunningJob } from './running-job.ts';

export type { JobReports } from './reports.ts';

/** A worker's time-limited right to run one job, and everything that it may do with it. */
export interface Lease {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  /** Numbered from 1. */
  readonly attempt: number;
  /** Attempts that failed before this one; those that a lost or stopping worker did not finish are not among them. */
  readonly failures: number;
  /** Whether submitter or type say how long to wait between attempts. */
  readonly hasBackoff: boolean;
  readonly input: unknown;
  readonly timeoutMs: number | undefined;
  /** Aborts when the lease is lost and when the worker must stop. */
  readonly signal: AbortSignal;
  readonly reports: JobReports;
}

/** How an attempt ended. Values, not exceptions: whether to try again is data. */
export type Outcome =
  | { kind: 'completed'; result: unknown }
  | {
      kind: 'failed';
      error: JobError;
      /** Whether trying again may help; whether there are attempts left is not the handler's to know. */
      retry: boolean;
      /** How long to wait before that, a day at most; as the job's backoff says where absent. */
      retryAfterMs?: number | undefined;
      cause?: Error | undefined;
    };

/** Takes jobs of one queue, a lease each, and runs them. Starts taking at once. */
export interface Consumer {
  /** Jobs that run at the moment. */
  readonly running: number;
  /** Resolves once the consumer is connected and takes jobs. */
  ready(): Promise<void>;
  /**
   * Stops taking at once and lets running jobs finish for `finishMs`; what still runs then is aborted and handed back, so
   * that another worker has it at once and no attempt is spent. Safe to call twice; never waits for Redis beyond a second more.
   */
  stop(finishMs: number): Promise<void>;
}

export interface ConsumerSetup {
  queue: string;
  redis: Redis;
  prefix: string;
  workerId: string;
  /** Jobs at once. */
  concurrency: number;
  /** Must not throw; an outcome says everything. */
  run: (lease: Lease) => Promise<Outcome>;
  onError: (error: Error) => void;
}

/** Pause before the engine asks Redis again after it was away; its default of 15 s would outlast the lease. */
const RETRY_MS = 1000;
/** After the deadline, how long handing back may take before the leases are simply left to run out. */
const HAND_BACK_MS = 1000;

/** `<host>-<pid>-<random>`: says where to look, and differs between two workers of one restarted container. */
export function makeWorkerId(): string {
  return `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
}

export function createConsumer(setup: ConsumerSetup): Consumer {
  const { queue, redis, prefix, onError } = setup;
  const keys = queueKeys(prefix, queue);
  const running = new Map<string, RunningJob>();
  const loseLease = (id: string) => running.get(id)?.abort('lease lost');
  const reports = createReports({
    redis,
    keys,
    onError,
    // A handler that was given up may report on while the job runs here again: that lease is not the one which is lost.
    onLost: ({ id, attempt }) => running.get(id)?.attempt === attempt && loseLease(id),
  });
  const renewals = createRenewals({ redis, keys, onError });
  /** Set at the deadline of a stop. The engine may still bring a job that it was fetching when it was told to close. */
  let handingBack = false;

  // Two parameters only: for a third one the engine would make an abort signal for every job.
  async function processJob(job: EngineJob<unknown, unknown, string>, token?: string): Promise<unknown> {
    if (handingBack) return handBack(job, token);
    const lease = new RunningJob(
      job,
      queue,
      reports.open({ id: job.id ?? '', token: token ?? '', attempt: job.attemptsStarted }),
    );
    running.set(lease.id, lease);
    const letGo = renewals.hold(lease, token ?? '');
    try {
      const outcome = await Promise.race([setup.run(lease), lease.handedBack]);
      await lease.reports.flush();
      if (outcome === 'handed back') return await handBack(job, token);
      if (mayRepeat(outcome, job)) return await postpone({ redis, keys }, job, token, outcome);
      return settle(outcome);
    } finally {
      letGo();
      if (running.get(lease.id) === lease) running.delete(lease.id);
    }
  }

  const worker: Worker<unknown, unknown, string> = new Worker(engineName(queue), processJob, {
    connection: redis,
    prefix,
    name: setup.workerId,
    concurrency: setup.concurrency,
    lockDuration: LEASE_MS,
    skipLockRenewal: true,
    skipStalledCheck: true,
    runRetryDelay: RETRY_MS,
  });
  worker.on('error', reportOthers(onError));
  const stopForgetting = forgetOldJobs({ queue, redis, prefix, onError });
  const stopRecovering = recoverLostJobs({ redis, keys, onError });

  let stopping: Promise<void> | undefined;
  return {
    get running() {
      return running.size;
    },
    async ready() {
      await worker.waitUntilReady();
      // The engine's scripts trim the event stream to what stands here, and its workers do not say it by themselves.
      await redis.hset(keys.meta, 'opts.maxLenEvents', EVENTS_KEPT);
    },
    stop(finishMs) {
      stopForgetting();
      stopRecovering();
      stopping ??= stop(worker, finishMs, () => {
        handingBack = true;
        for (const lease of running.values()) {
          lease.abort('the worker stops');
          lease.handBack();
        }
      }).finally(renewals.stop);
      return stopping;
    },
  };
}

/** The engine learns an outcome by a return or a throw. */
function settle(outcome: Outcome): unknown {
  if (outcome.kind === 'completed') return outcome.result;
  const reason = encodeFailure(outcome.error);
  // Whether to repeat it is decided before; the engine would do so in its own way.
  const error = new UnrecoverableError(reason);
  // The handler's own stack is what helps; this function's says nothing.
  if (outcome.cause?.stack) error.stack = outcome.cause.stack;
  throw error;
}

/** Puts the job back to the front of the line, its attempt unspent. */
async function handBack(job: EngineJob<unknown, unknown, string>, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

async function stop(
  worker: Worker<unknown, unknown, string>,
  finishMs: number,
  handBackAll: () => void,
): Promise<void> {
  const closed = worker.close();
  // Waiting for jobs, and for a Redis that may be away, are the only reasons why closing takes time.
  closed.catch(() => undefined);
  if (await settledWithin(closed, finishMs)) return;
  handBackAll();
  await settledWithin(closed, HAND_BACK_MS);
}

async function settledWithin(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
