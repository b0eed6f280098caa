import { hostname } from 'node:os';
import type { Redis } from '@spillway/bullmq';
import { type Job as EngineJob, UnrecoverableError, WaitingError, Worker } from '@spillway/bullmq';
import type { JobError } from '@spillway/contracts';
import { encodeFailure } from '../engine/failure.ts';
import { engineName, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT, STACK_MAX, STACKS_KEPT } from '../engine/limits.ts';
import type { StoredOptions } from '../engine/record.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { addSlotCounts } from '../rates/add-counts.ts';
import { SlotCount } from '../rates/counts.ts';
import { countBatchEnds } from './batches.ts';
import { cancelled, watchCancellations } from './cancellations.ts';
import { type ChildEnd, readChildren } from './children.ts';
import type { BatchConclusions } from './conclude-batches.ts';
import { endTogether } from './end-together.ts';
import { expiryOf } from './expiry.ts';
import { forgetOldJobs } from './forget.ts';
import { holdGroupSlots } from './group-slots.ts';
import { handBackJob } from './hand-back-script.ts';
import { letInHeldJobs } from './held-jobs.ts';
import { recoverLostJobs } from './lost-workers.ts';
import { mayRepeat, postpone } from './postpone.ts';
import { createRenewals, LEASE_MS } from './renewals.ts';
import { createReports, type JobReports, type ReportedLease } from './reports.ts';
import { RunningJob } from './running-job.ts';
import { createSteps, type JobSteps } from './steps.ts';
import { createStop } from './stop.ts';
import { takeOnce } from './take-once.ts';

export type { ChildEnd } from './children.ts';
export { type BatchConclusions, concludeBatches } from './conclude-batches.ts';
export type { JobReports } from './reports.ts';
export { type JobSteps, LeaseLostError } from './steps.ts';

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
  /** Aborts when the job is cancelled (`reason` is a CancelledError), when the lease is lost and when the worker must stop. */
  readonly signal: AbortSignal;
  readonly reports: JobReports;
  /** What the job's finished steps gave, in this attempt and in earlier ones. */
  readonly steps: JobSteps;
  /** How the jobs that this one waited for have ended, in the order of their submission. */
  children(): Promise<ChildEnd[]>;
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
  /** Their leases. */
  leases(): Lease[];
  /** Resolves once the consumer is connected and takes jobs. */
  ready(): Promise<void>;
  /**
   * Stops taking at once and lets running jobs finish for `finishMs`; what still runs then is aborted and handed back, so
   * that another worker has it at once and no attempt is spent. A second call can shorten the first one's time and is one
   * stop with it; never waits for Redis beyond a second more.
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
  batches: BatchConclusions;
  onError: (error: Error) => void;
  /** How long a lease lasts without renewal; 9 s. */
  leaseMs?: number;
  /** Least pause between two looks for ends of batches' jobs that nobody counted; 5 s. */
  batchSweepMs?: number;
}

/** Pause before the engine asks Redis again after it was away; its default of 15 s would outlast the lease. */
const RETRY_MS = 1000;
/** A worker at the queue's limit of starts asks again after this, so that a limit which is lifted meanwhile is noticed. */
const LIMIT_ASKED_MS = 1000;
/** Time to save what can be saved, and short enough for somebody to wait for it. */
const CANCEL_GRACE_MS = 5000;

/** `<host>-<pid>-<random>`: says where to look, and differs between two workers of one restarted container. */
export function makeWorkerId(): string {
  return `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
}

export function createConsumer(setup: ConsumerSetup): Consumer {
  const { queue, redis, prefix, onError, leaseMs = LEASE_MS, cancelGraceMs = () => CANCEL_GRACE_MS } = setup;
  const keys = queueKeys(prefix, queue);
  const running = new Set<RunningJob>();
  // A handler that was given up may report on while the job runs here again: that lease is not the one which is lost.
  const onLost = ({ id, attempt }: ReportedLease) =>
    [...running].find((lease) => lease.id === id && lease.attempt === attempt)?.abort(new Error('lease lost'));
  const reports = createReports({ redis, keys, onError, onLost });
  const steps = createSteps({ redis, keys, onError: reportOthers(onError), onLost });
  const cancellations = watchCancellations({
    redis,
    keys,
    running,
    onCancel: (lease, cancellation) => lease.cancel(cancellation, cancelGraceMs(lease.type)),
    onError: reportOthers(onError),
  });
  const doors = { reports, steps, children: (id: string) => readChildren(redis, prefix, id) };
  const renewals = createRenewals({ redis, keys, held: running, leaseMs, onError });
  const ends = endTogether(redis);
  const slots = holdGroupSlots({ redis, keys, ends: ends.grouped, onError });
  const counts = new SlotCount(setup.concurrency);
  takeOnce(redis);

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

  /** A start that was handed back does not count as one, but the job was worth it. */
  async function wasTakenBefore({ id = '' }: EngineJob<unknown, unknown, string>): Promise<boolean> {
    return (await redis.hexists(keys.job(id), 'hb')) === 1;
  }

  async function conclude(ending: Outcome, job: EngineJob<unknown, unknown, string>, token?: string): Promise<unknown> {
    if (!mayRepeat(ending, job)) return settle(ending);
    // A cancel that came too late to be seen in the attempt must not wait for the next one.
    return postpone({ redis, keys }, job, token, ending).finally(() => {
      slots.release(job);
      cancellations.endMarked(job.id ?? '');
    });
  }

  /** What is left to report travels with the job's end, or before anything else that becomes of the job. */
  async function endReports(
    lease: RunningJob,
    outcome: Outcome | 'handed back',
    job: EngineJob<unknown, unknown, string>,
  ): Promise<void> {
    if (outcome === 'handed back' || mayRepeat(lease.ending(outcome), job)) return lease.flushReports();
    const last = await lease.lastReport();
    if (last) ends.reports.set(lease.id, last);
  }

  // Two parameters only: for a third one the engine would make an abort signal for every job.
  async function processJob(job: EngineJob<unknown, unknown, string>, token?: string): Promise<unknown> {
    if (stopping.hasBegun) return handBack(job, token);
    slots.take(job);
    const expired = expiryOf(job, Date.now());
    if (expired && !(await wasTakenBefore(job))) return settle(expired);
    if (slots.mustClaim(job)) await slots.claim(job, token);
    // The engine would keep the stacks of all attempts.
    job.opts.stackTraceLimit = STACKS_KEPT;
    const lease = new RunningJob(job, token ?? '', queue, doors);
    running.add(lease);
    const startedAt = counts.start();
    cancellations.wake();
    try {
      const outcome = await lease.untilOver(lease.attempt > 1 ? runAgain(lease) : setup.run(lease));
      await endReports(lease, outcome, job);
      return await (outcome === 'handed back' ? release(job, token) : conclude(lease.ending(outcome), job, token));
    } finally {
      counts.end(startedAt);
      lease.end();
      running.delete(lease);
    }
  }

  /** What cannot be handed back is left to its lease, which runs out. Always throws: the engine then leaves the job alone. */
  async function handBack(job: EngineJob<unknown, unknown, string>, token = ''): Promise<never> {
    slots.leave(job);
    const { events, active, wait, prioritized, stalled, meta, marker } = keys;
    const lines = [events, active, wait, prioritized, stalled, meta, marker];
    await handBackJob(redis, lines, [keys.base, EVENTS_KEPT, job.id ?? '', token]).catch(reportOthers(onError));
    throw new WaitingError();
  }

  const worker: Worker<unknown, unknown, string> = new Worker(engineName(queue), processJob, {
    connection: redis,
    prefix,
    name: setup.workerId,
    concurrency: setup.concurrency,
    lockDuration: leaseMs,
    skipLockRenewal: true,
    skipStalledCheck: true,
    runRetryDelay: RETRY_MS,
    maximumRateLimitDelay: LIMIT_ASKED_MS,
  });
  worker.on('error', reportOthers(onError));
  const batchEnds = countBatchEnds({
    queue,
    redis,
    prefix,
    conclude: setup.batches.conclude,
    onError,
    sweepMs: setup.batchSweepMs,
  });
  const countEnd = (job?: EngineJob<unknown, unknown, string>) => {
    const { batch } = (job?.opts ?? {}) as StoredOptions;
    if (batch) batchEnds.count(batch, job?.id ?? '');
  };
  worker.on('completed', (job) => {
    steps.forget(job);
    countEnd(job);
  });
  worker.on('failed', (job) => {
    // Such a job was decided about before it was taken.
    if (job?.deferredFailure) slots.release(job);
    countEnd(job);
  });
  worker.on('drained', () => {
    slots.drained();
    counts.foundNone();
  });
  const stopForgetting = forgetOldJobs({ queue, redis, prefix, onError });
  const stopRecovering = recoverLostJobs({ redis, keys, onError });
  const stopLettingIn = letInHeldJobs({ redis, keys, onError });
  const stopCounting = addSlotCounts({ redis, keys, slots: counts, onError });

  const stopping = createStop({
    close: () => worker.close().then(slots.settled),
    handBackRest: () => {
      for (const lease of running) {
        // First, so that what the handler makes of its signal is not taken for the outcome.
        lease.giveUp();
        lease.abort(new Error('the worker stops'));
      }
    },
  });
  return {
    get running() {
      return running.size;
    },
    leases: () => [...running],
    async ready() {
      await worker.waitUntilReady();
      // The engine's scripts trim the event stream to what stands here, and its workers do not say it by themselves.
      await redis.hset(keys.meta, 'opts.maxLenEvents', EVENTS_KEPT);
    },
    stop(finishMs) {
      stopForgetting();
      stopRecovering();
      stopLettingIn();
      slots.stop();
      stopCounting();
      return stopping.within(finishMs).finally(renewals.stop).finally(batchEnds.stop);
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
  if (outcome.cause?.stack) error.stack = outcome.cause.stack.slice(0, STACK_MAX);
  throw error;
}
