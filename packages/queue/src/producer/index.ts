import {
  type CleanReply,
  type CleanRequest,
  type DrainReply,
  type DrainRequest,
  type FlowMember,
  type Job,
  type JobOptions,
  type JobPatch,
  type JobType,
  queueOf,
  type RetryFailedReply,
  type RetryFailedRequest,
  SpillwayError,
} from '@spillway/contracts';
import type { JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueKeys } from '../engine/keys.ts';
import { labelParts, labelsOf, targetsOf } from '../engine/labels.ts';
import { KEEP_COMPLETED_S } from '../engine/limits.ts';
import { withPlace } from '../engine/line-script.ts';
import { openQueues, type QueueHandles } from '../engine/queue-handles.ts';
import { storedOptions as readOptions, type StoredBackoff, type StoredOptions } from '../engine/record.ts';
import { NO_WINDOW, takeSnapshot } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { type Addition, addToLine } from './add.ts';
import { type CancelOptions, type ControlOutcome, createCancel, notFound } from './cancel.ts';
import { type BatchClaim, type Claim, type Claims, createClaims, type KeyUse } from './claims.ts';
import { clean } from './clean.ts';
import { readDedupe } from './dedupe.ts';
import { drain } from './drain.ts';
import { addFlow, type FlowTree } from './flow.ts';
import { assertRemovable } from './flow-control.ts';
import { createIds, timeOf } from './ids.ts';
import { createIntake, type Intake } from './intake.ts';
import { forgetJob } from './remove-script.ts';
import { reschedule } from './reschedule.ts';
import { createRetry } from './retry.ts';

export type { BatchClaim } from './claims.ts';
export type { FlowTree } from './flow.ts';

/** A job to be stored. The input must have passed the type's schema. */
export interface Submission {
  type: JobType;
  input: unknown;
  options?: JobOptions | undefined;
  /** The batch that it belongs to. */
  batch?: string | undefined;
  /** The name of the key that submits it, where keys are configured. */
  tenant?: string | undefined;
  /** Of its tenant's keys: the same key and submission is the same job. */
  idempotencyKey?: string | undefined;
  /** Its place in a batch that has a key. A key of its own goes before it. */
  claim?: Claim | undefined;
}

/** What a submit found or made. The marks are there where they are true. */
export interface SubmittedJob extends Job {
  /** The idempotency key was used before: this is the job as it stands now. */
  replayed?: true;
  /** Another job stands for this one, by its dedupe key: that one as it stands now. */
  deduplicated?: true;
  /** The job is no longer stored: this is how it was accepted. */
  removed?: true;
}

/** Puts jobs in and steers them. All calls fail with `unavailable` within seconds while Redis is away; none of them hangs. */
export interface Producer {
  /** Stores a tree of jobs, children to run before their parents: all of it or nothing. All are jobs of one batch. */
  submitFlow(tree: FlowTree, labels: { batch: string; tenant?: string | undefined }): Promise<FlowMember>;
  /**
   * Stores one job. Resolves once Redis holds it.
   * @throws SpillwayError `idempotency_key_reused`, `invalid_request` for dedupe options that do not go together
   */
  submit(submission: Submission): Promise<SubmittedJob>;
  /**
   * Opens the batch of an idempotency key, a new one or the one that was there. Repeating a batch that was broken off, each
   * job under the claim to its place, stores what is missing.
   * @throws SpillwayError `idempotency_key_reused` where the key stands for something else than `body`
   */
  claimBatch(use: KeyUse, body: unknown): Promise<BatchClaim>;
  /** Makes the name of a new batch. */
  newBatch(): string;
  /**
   * Ends a job, or has its worker end it, and with it the jobs that it waits for.
   * @throws job_not_found, job_final (completed or failed).
   */
  cancel(id: string, by: string, options?: CancelOptions): Promise<ControlOutcome>;
  /**
   * Gives a failed or cancelled job all its attempts again, and with it the children that failed it.
   * @throws job_not_found, job_final (completed, or a child is gone), job_active (its parent runs without it).
   */
  retry(id: string): Promise<ControlOutcome>;
  /**
   * Does so for failed jobs of a queue, oldest end first: a part of them in each call, which says where to go on. Jobs that
   * fail again meanwhile are not met twice. @throws invalid_request for a cursor that is not ours
   */
  retryFailed(queue: string, filter: RetryFailedRequest): Promise<RetryFailedReply>;
  /**
   * Changes the priority of a job that waits, or how long it waits from now on. Asked twice for the same priority, or to be due,
   * it does nothing the second time; a delay begins anew. @throws job_not_found, job_final, job_active
   */
  reschedule(id: string, patch: JobPatch): Promise<ControlOutcome>;
  /**
   * Cancels jobs of a queue that wait, at most `limit` in one call: while `more` is true, ask again. Whoever waits for one
   * hears of it. What a worker runs goes on.
   */
  drain(queue: string, by: string, request?: DrainRequest): Promise<DrainReply>;
  /**
   * Forgets jobs of a queue that have ended, oldest end first: a part of them in each call, which says where to go on.
   * @throws invalid_request for a cursor that is not ours
   */
  clean(queue: string, request: CleanRequest): Promise<CleanReply>;
  /** Forgets a job that no worker runs. @throws job_not_found, job_active, not_finished (part of a flow that waits). */
  remove(id: string): Promise<void>;
  pause(queue: string): Promise<ControlOutcome>;
  resume(queue: string): Promise<ControlOutcome>;
  close(): Promise<void>;
}

export function createProducer(setup: {
  redis: Redis;
  prefix: string;
  onError: (error: Error) => void;
  /** How long idempotency keys are kept, in seconds; by default as long as completed jobs. */
  keysKeptS?: number;
  now?: () => number;
}): Producer {
  const { redis, prefix, keysKeptS = KEEP_COMPLETED_S, now = Date.now } = setup;
  const queues = openQueues(redis, prefix, setup.onError);
  const newId = createIds();
  const intake = createIntake(redis, prefix);
  const claims = createClaims({ redis, prefix, newId, keptS: keysKeptS });
  const line = { redis, prefix, queues, intake, claims, newId };
  const cancel = createCancel({ redis, prefix, now });
  const retry = createRetry({ redis, prefix, queues, now });
  return {
    newBatch: () => newId('batch', now()),
    submitFlow: (tree, labels) =>
      withRedis(redis, () => addFlow({ redis, prefix, newId, toStored: memberOptions }, tree, labels, now())),
    submit: (submission) => withRedis(redis, () => submit(line, submission, now())),
    claimBatch: (use, body) => withRedis(redis, () => claims.batch(use, body, now())),
    cancel,
    retry: (id) => withRedis(redis, () => retry.one(id)),
    retryFailed: (queue, filter) => withRedis(redis, () => retry.failed(queue, filter)),
    reschedule: (id, patch) => withRedis(redis, () => reschedule({ redis, prefix, now }, id, patch)),
    drain: (queue, by, request = {}) => withRedis(redis, () => drain({ redis, prefix, now }, queue, by, request)),
    clean: (queue, request) => withRedis(redis, () => clean({ redis, prefix, now }, queue, request)),
    remove: (id) => withRedis(redis, () => remove(redis, prefix, id)),
    pause: (queue) => withRedis(redis, () => setPaused(queues, queue, true)),
    resume: (queue) => withRedis(redis, () => setPaused(queues, queue, false)),
    close: () => queues.close(),
  };
}

async function submit(line: Line, submission: Submission, now: number): Promise<SubmittedJob> {
  const { type, input = {}, batch, tenant } = submission;
  const { stored, dedupe } = storedOptions(submission);
  const claim =
    submission.idempotencyKey === undefined ? submission.claim : await claimJob(line, submission, { stored, now });
  const origin = claim ? originOf(claim) : { id: line.newId(type.queue, now), queue: type.queue, timestamp: now };
  const { id, queue, timestamp } = origin;
  const addition = { id, queue, timestamp, type: type.type, data: JSON.stringify(input), stored, claim, dedupe };
  const stands = await store(line, addition);
  const accepted: Job = {
    id,
    type: type.type,
    queue,
    state: stored.delay ? 'delayed' : 'waiting',
    attempt: 0,
    attempts: stored.attempts ?? 1,
    priority: stored.priority,
    tags: stored.tags,
    batch,
    tenant,
    createdAt: new Date(timestamp).toISOString(),
    runAt: stored.delay ? new Date(timestamp + stored.delay).toISOString() : undefined,
    input,
  };
  if (!claim?.replayed && stands === accepted.id) return accepted;
  return asItStands(line, accepted, { stands, replayed: claim?.replayed ?? false });
}

/** A claim that was made earlier says when, and in which queue. */
function originOf({ id }: Claim): Pick<Addition, 'id' | 'queue' | 'timestamp'> {
  return { id, queue: queueOf(id) ?? '', timestamp: timeOf(id) };
}

/** Resolves with the id of the job that stands, which is another one only by dedupe. */
async function store(line: Line, job: Omit<Addition, 'labels'>): Promise<string> {
  const { id, queue, type, data, stored, timestamp, claim, dedupe } = job;
  const labelled = labelsOf(stored);
  const labels = labelled && JSON.stringify(labelled);
  if (stored.delay || stored.priority || dedupe) return addToLine(line, { ...job, labels });
  await line.intake.store(queue, { id, type, input: data, options: JSON.stringify(stored), timestamp, labels }, claim);
  return id;
}

interface Line {
  redis: Redis;
  prefix: string;
  queues: QueueHandles;
  intake: Intake;
  claims: Claims;
  newId: ReturnType<typeof createIds>;
}

function claimJob(
  { claims }: Line,
  { type, input = {}, options = {}, tenant, idempotencyKey: key = '' }: Submission,
  { stored, now }: { stored: JobsOptions; now: number },
): Promise<Claim> {
  return claims.job({ key, tenant }, { type, input, options, delayMs: stored.delay ?? 0 }, now);
}

/** The job that a submit found instead of making one. Where it is gone, what it was accepted with is all that is known. */
async function asItStands(
  { redis, prefix }: Line,
  accepted: Job,
  { stands, replayed }: { stands: string; replayed: boolean },
): Promise<SubmittedJob> {
  const snapshot = await takeSnapshot(redis, prefix, { queue: accepted.queue, id: stands }, NO_WINDOW);
  return {
    ...(snapshot?.job ?? { ...accepted, id: stands }),
    ...(replayed && { replayed }),
    ...(stands !== accepted.id && { deduplicated: true }),
    ...(!snapshot && { removed: true }),
  };
}

/**
 * What is stored with the job, and nothing that is a default: a million waiting jobs pay for every byte.
 * @throws SpillwayError `invalid_request` for dedupe options that do not go together
 */
function storedOptions({
  type,
  options,
  batch,
  tenant,
}: Omit<Submission, 'input'>): Pick<Addition, 'stored' | 'dedupe'> {
  const asked = { ...type.defaults, ...options };
  const { attempts = 1, backoff, priority = 0, timeoutMs, ttlMs, tags, delayMs = 0 } = asked;
  const stored: JobsOptions & StoredOptions = {};
  if (attempts > 1) {
    stored.attempts = attempts;
    if (backoff) stored.backoff = storedBackoff(backoff);
  }
  if (priority > 0) stored.priority = priority;
  if (delayMs > 0) stored.delay = delayMs;
  if (timeoutMs !== type.defaults.timeoutMs) stored.timeoutMs = timeoutMs;
  // Looked at before the type is, so it is stored also where it is the type's default.
  if (ttlMs !== undefined) stored.ttlMs = ttlMs;
  if (tags?.length) stored.tags = tags;
  if (batch) stored.batch = batch;
  if (tenant) stored.tenant = tenant;
  if (!asked.dedupe) return { stored, dedupe: undefined };
  const { by, stored: kept } = readDedupe(asked.dedupe, { type: type.type, tenant, delayMs });
  return { stored: Object.assign(stored, kept), dedupe: by };
}

/** @throws SpillwayError `invalid_request` for `dedupe`: a job in whose place another stands cannot be waited for. */
function memberOptions(type: JobType, options: JobOptions, labels: Pick<Submission, 'batch' | 'tenant'>) {
  if (!options.dedupe) return storedOptions({ type, options, ...labels }).stored;
  throw new SpillwayError('invalid_request', `expected no dedupe in the jobs of a flow, got it for ${type.type}`);
}

function storedBackoff({ type, delayMs, jitter, maxDelayMs }: NonNullable<JobOptions['backoff']>): StoredBackoff {
  return {
    type,
    delay: delayMs,
    ...(jitter !== undefined && { jitter }),
    ...(maxDelayMs !== undefined && { maxDelay: maxDelayMs }),
  };
}

async function remove(redis: Redis, prefix: string, id: string): Promise<void> {
  const queue = queueOf(id);
  if (!queue) throw notFound(id);
  const keys = queueKeys(prefix, queue);
  const [exists, options] = await Promise.all([redis.exists(keys.job(id)), redis.hget(keys.job(id), 'opts')]);
  if (exists === 0) throw notFound(id);
  await assertRemovable({ redis, prefix }, id);
  const { wait, prioritized, delayed, blocked, completed, failed, active } = keys;
  const lines = [wait, prioritized, delayed, blocked, completed, failed, active, keys.lock(id)];
  const found = await withPlace({ redis, line: wait, id }, (place) =>
    forgetJob(redis, [keys.job(id), keys.schedulers, ...lines], [id, 0, keys.base, place]),
  );
  if (found === 0) {
    throw new SpillwayError('job_active', `expected a job that no worker runs, got ${id}, which is running`);
  }
  const leftovers = redis.pipeline().del(keys.output(id), keys.steps(id));
  for (const label of targetsOf(readOptions({ opts: options ?? '{}' })))
    leftovers.zrem(keys.label(...labelParts(label)), id);
  await leftovers.exec();
}

async function setPaused(queues: QueueHandles, queue: string, paused: boolean): Promise<ControlOutcome> {
  const handle = queues.get(queue);
  if ((await handle.isPaused()) === paused) return { done: false };
  await (paused ? handle.pause() : handle.resume());
  return { done: true };
}
