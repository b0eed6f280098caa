import { hostname } from 'node:os';
import type { JobError } from '@spillway/contracts';
import { type Job as EngineJob, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { encodeFailure } from '../engine/failure.ts';
import { engineName, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { cancelled, watchCancellations } from './cancellations.ts';
import { expiryOf } from './expiry.ts';
import { forgetOldJobs } from './forget.ts';
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
  readonly input: unknown;
  readonly timeoutMs: number | undefined;
  /** Aborts when the job is cancelled (`reason` is a CancelledError), when the lease is lost and when the worker must stop. */
  readonly signal: AbortSignal;
  readonly reports: JobReports;
}

/** How an attempt ended. Values, not exceptions: whether to try again is data. */
export type Outcome =
  | { kind: 'completed'; result: unknown }
  | { kind: 'failed'; error: JobError; retry: boolean; cause?: Error | undefined };

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
  /** How long a cancelled job of the type may take to stop by itself before it is given up; 5 s where absent. */
  cancelGraceMs?: (type: string) => number;
  onError: (error: Error) => void;
}

/**
 * A killed worker's job is free again when its lease runs out and the next check notices: 10 s and 5 s, against the
 * engine's defaults of 30 s each, which measured 60 s from kill to second start. Leases are renewed every 5 s.
 */
const LEASE_MS = 10_000;
const STALLED_CHECK_MS = 5000;
/** Pause before the engine asks Redis again after it was away; its default of 15 s would outlast the lease. */
const RETRY_MS = 1000;
/** How often a job may lose its worker before it counts as the job's fault; a lost reply costs one too. */
const MAX_LOST_WORKERS = 3;
/** Time to save what can be saved, and short enough for somebody to wait for it. */
const CANCEL_GRACE_MS = 5000;
/** After the deadline, how long handing back may take before the leases are simply left to run out. */
const HAND_BACK_MS = 1000;

/** `<host>-<pid>-<random>`: says where to look, and differs between two workers of one restarted container. */
export function makeWorkerId(): string {
  return `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
}

export function createConsumer(setup: ConsumerSetup): Consumer {
  const { queue, redis, prefix, onError, cancelGraceMs = () => CANCEL_GRACE_MS } = setup;
  const keys = queueKeys(prefix, queue);
  const running = new Map<string, RunningJob>();
  const loseLease = (id: string) => running.get(id)?.abort(new Error('lease lost'));
  const reports = createReports({
    redis,
    keys,
    onError,
    // A handler that was given up may report on while the job runs here again: that lease is not the one which is lost.
    onLost: ({ id, attempt }) => running.get(id)?.attempt === attempt && loseLease(id),
  });
  const cancellations = watchCancellations({
    redis,
    keys,
    running,
    onCancel: (lease, cancellation) => lease.cancel(cancellation, cancelGraceMs(lease.type)),
    onError: reportOthers(onError),
  });
  /** Set at the deadline of a stop. The engine may still bring a job that it was fetching when it was told to close. */
  let handingBack = false;

  /** Only a job that was active before comes here with a mark: the others were ended in their line. */
  async function runAgain(lease: RunningJob): Promise<Outcome> {
    const mark = await cancellations.markOf(lease.id);
    return mark ? cancelled(mark) : setup.run(lease);
  }

  /** Hands a job back, but for one with a mark that was not seen yet: in the line it would wait for somebody to see it. */
  async function release(job: EngineJob<unknown, unknown, string>, token?: string): Promise<unknown> {
    const mark = await cancellations.markOf(job.id ?? '');
    return mark ? settle(cancelled(mark)) : handBack(job, token);
  }

  // Two parameters only: for a third one the engine would make an abort signal for every job.
  async function processJob(job: EngineJob<unknown, unknown, string>, token?: string): Promise<unknown> {
    if (handingBack) return handBack(job, token);
    const expired = expiryOf(job, Date.now());
    if (expired) return settle(expired);
    const lease = new RunningJob(
      job,
      queue,
      reports.open({ id: job.id ?? '', token: token ?? '', attempt: job.attemptsStarted }),
    );
    running.set(lease.id, lease);
    cancellations.wake();
    try {
      const outcome = await Promise.race([lease.attempt > 1 ? runAgain(lease) : setup.run(lease), lease.givenUp]);
      lease.reports.close();
      await lease.reports.flush();
      return outcome === 'handed back' ? await release(job, token) : settle(lease.ending(outcome));
    } finally {
      lease.end();
      if (running.get(lease.id) === lease) running.delete(lease.id);
    }
  }

  const worker: Worker<unknown, unknown, string> = new Worker(engineName(queue), processJob, {
    connection: redis,
    prefix,
    name: setup.workerId,
    concurrency: setup.concurrency,
    lockDuration: LEASE_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_LOST_WORKERS,
    runRetryDelay: RETRY_MS,
  });
  worker.on('error', reportOthers(onError));
  // A mark that came too late to be seen in the attempt: the job is on its way back to a line, and must not wait there.
  worker.on('failed', (job) => job?.id && !job.finishedOn && cancellations.endMarked(job.id));
  worker.on('stalled', (id) => cancellations.endMarked(id));
  const stopForgetting = forgetOldJobs({ queue, redis, prefix, onError });
  worker.on('lockRenewalFailed', (ids: string[]) => ids.forEach(loseLease));

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
      stopping ??= stop(worker, finishMs, () => {
        handingBack = true;
        for (const lease of running.values()) {
          lease.abort(new Error('the worker stops'));
          lease.giveUp();
        }
      });
      return stopping;
    },
  };
}

/** The engine learns an outcome by a return or a throw. */
function settle(outcome: Outcome): unknown {
  if (outcome.kind === 'completed') return outcome.result;
  const reason = encodeFailure(outcome.error);
  const error = outcome.retry ? new Error(reason) : new UnrecoverableError(reason);
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
