import type { JobsOptions, Redis } from '@spillway/bullmq';
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
  type QueueLimits,
  type QueueLimitsRequest,
  queueOf,
  type RetryFailedReply,
  type RetryFailedRequest,
  SpillwayError,
} from '@spillway/contracts';
import { addQueues, openRecord, sealRecord } from '../engine/batches.ts';
import { groupField, leaveGroup } from '../engine/groups.ts';
import { queueKeys } from '../engine/keys.ts';
import { indexesOf, labelParts, labelsOf } from '../engine/labels.ts';
import { KEEP_COMPLETED_S } from '../engine/limits.ts';
import { withPlace } from '../engine/line-script.ts';
import { openQueues, type QueueHandles } from '../engine/queue-handles.ts';
import { setLimits } from '../engine/queue-limits.ts';
import { storedOptions as readOptions, type StoredBackoff, type StoredOptions } from '../engine/record.ts';
import { NO_WINDOW, takeSnapshot } from '../engine/snapshot.ts';
import { withRedis } from '../engine/unavailable.ts';
import { type Arrivals, countArrivals } from '../rates/add-counts.ts';
import { type Addition, addToLine } from './add.ts';
import { type Admission, createAdmission, type DrainPerSecond } from './admission.ts';
import { type Batches, createBatches } from './batches.ts';
import { type CancelOptions, type ControlOutcome, createCancel, notFound } from './cancel.ts';
import { type BatchClaim, type Claim, type Claims, createClaims, type KeyUse } from './claims.ts';
import { clean } from './clean.ts';
import { createConclude } from './completion.ts';
import { readDedupe, readOverlap, type ScheduledBy } from './dedupe.ts';
import { drain } from './drain.ts';
import { delayUntilDue } from './due.ts';
import { addFlow, type FlowTree } from './flow.ts';
import { assertRemovable } from './flow-control.ts';
import { createIds, timeOf } from './ids.ts';
import { createIntake, type Intake } from './intake.ts';
import { forgetJob } from './remove-script.ts';
import { reschedule } from './reschedule.ts';
import { createRetry } from './retry.ts';
import { retryBatch } from './retry-batch.ts';

export { type Batches, type BatchWriter, completionInput, type OnComplete } from './batches.ts';
export type { BatchClaim } from './claims.ts';
export { tickClaim } from './claims.ts';
export type { ScheduledBy } from './dedupe.ts';
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
  /** The schedule that submits it. */
  schedule?: ScheduledBy | undefined;
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
   * @throws SpillwayError `idempotency_key_reused`, `queue_full`, `invalid_request` for options that do not go together
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
  readonly batches: Batches;
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
  /**
   * Gives a queue these limits in the place of all that it had, in one step. They count from the next start or submit on.
   * Called again with the same, it changes nothing. Resolves with the limits as they are now.
   */
  setLimits(queue: string, limits: QueueLimitsRequest): Promise<QueueLimits>;
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
  /** Tells those who are refused when to come again; a few seconds where it is not given. */
  drainPerSecond?: DrainPerSecond;
  now?: () => number;
}): Producer {
  const { redis, prefix, keysKeptS = KEEP_COMPLETED_S, now = Date.now } = setup;
  const queues = openQueues(redis, prefix, setup.onError);
  const newId = createIds();
  const admission = createAdmission({ drainPerSecond: setup.drainPerSecond, now });
  const intake = createIntake({ redis, prefix, admission });
  const claims = createClaims({ redis, prefix, newId, keptS: keysKeptS });
  const arrivals = countArrivals({ redis, prefix, onError: setup.onError });
  const line = { redis, prefix, queues, admission, intake, claims, arrivals, newId };
  const cancel = createCancel({ redis, prefix, now });
  const retrySetup = { redis, prefix, queues, now };
  const retry = createRetry(retrySetup);
  const submitOne: Producer['submit'] = (submission) => withRedis(redis, () => submit(line, submission, now()));
  return {
    newBatch: () => newId('batch', now()),
    batches: createBatches({
      redis,
      prefix,
      now,
      cancel,
      conclude: createConclude({ redis, prefix, submit: submitOne, now }),
      retryFailed: (batch, known, request) => retryBatch(retrySetup, { batch, queues: known }, request),
    }),
    async submitFlow(tree, labels) {
      const flow = await withRedis(redis, () => submitFlow(line, tree, labels, now()));
      countFlow(arrivals, tree);
      return flow;
    },
    submit: submitOne,
    claimBatch: (use, body) => withRedis(redis, () => claims.batch(use, body, now())),
    cancel,
    retry: (id) => withRedis(redis, () => retry.one(id)),
    retryFailed: (queue, filter) => withRedis(redis, () => retry.failed(queue, filter)),
    reschedule: (id, patch) => withRedis(redis, () => reschedule({ redis, prefix, now }, id, patch)),
    drain: (queue, by, request = {}) => withRedis(redis, () => drain({ redis, prefix, now }, queue, by, request)),
    clean: (queue, request) => withRedis(redis, () => clean({ redis, prefix, now }, queue, request)),
    remove: (id) => withRedis(redis, () => remove(redis, prefix, id)),
    setLimits: (queue, limits) => withRedis(redis, () => setLimits(redis, queueKeys(prefix, queue), limits)),
    pause: (queue) => withRedis(redis, () => setPaused(queues, queue, true)),
    resume: (queue) => withRedis(redis, () => setPaused(queues, queue, false)),
    close() {
      arrivals.close();
      return queues.close();
    },
  };
}

async function submit(line: Line, submission: Submission, now: number): Promise<SubmittedJob> {
  const { type, input = {}, batch, tenant } = submission;
  const { stored, dedupe } = storedOptions(submission, now);
  const claim =
    submission.idempotencyKey === undefined ? submission.claim : await claimJob(line, submission, { stored, now });
  const origin = claim ? originOf(claim) : { id: line.newId(type.queue, now), queue: type.queue, timestamp: now };
  const { id, queue, timestamp } = origin;
  // A claim may be older than this try: the time that was asked for is the same.
  if (stored.delay && submission.options?.runAt) stored.delay = delayUntilDue(submission.options, timestamp);
  const addition = { id, queue, timestamp, type: type.type, data: JSON.stringify(input), stored, claim, dedupe };
  const { stands, isParked } = await store(line, addition).catch(async (error: unknown) => {
    const isRefused = error instanceof SpillwayError && error.code === 'queue_full';
    if (isRefused && claim && submission.idempotencyKey !== undefined) await line.claims.noteRefusal(claim);
    throw error;
  });
  const accepted: Job = {
    id,
    type: type.type,
    queue,
    state: stored.delay || isParked ? 'delayed' : 'waiting',
    attempt: 0,
    attempts: stored.attempts ?? 1,
    priority: stored.priority ?? stored.groupPriority,
    group: stored.group,
    tags: stored.tags,
    batch,
    tenant,
    schedule: submission.schedule?.name,
    createdAt: new Date(timestamp).toISOString(),
    runAt: stored.delay ? new Date(timestamp + stored.delay).toISOString() : undefined,
    input,
  };
  if (!claim?.replayed && stands === accepted.id) {
    line.arrivals.count(queue);
    return accepted;
  }
  return asItStands(line, accepted, { stands, replayed: claim?.replayed ?? false });
}

/** A flow is a batch of which nothing is stored, or all. It is sealed before, so that nobody has to come back to it. */
async function submitFlow(
  { redis, prefix, newId, admission }: Line,
  tree: FlowTree,
  labels: { batch: string; tenant?: string | undefined },
  now: number,
): Promise<FlowMember> {
  const place = { redis, prefix };
  await Promise.all([
    openRecord(place, labels.batch, { now, tenant: labels.tenant, onComplete: undefined }),
    addQueues(place, labels.batch, [...queuesIn(tree)]),
    sealRecord(place, labels.batch, { now }),
  ]);
  return addFlow({ redis, prefix, newId, admission, toStored: memberOptions }, tree, labels, now);
}

function queuesIn({ type, children }: FlowTree): Set<string> {
  return new Set([type.queue, ...children.flatMap((child) => [...queuesIn(child)])]);
}

/** A claim that was made earlier says when, and in which queue. */
function originOf({ id }: Claim): Pick<Addition, 'id' | 'queue' | 'timestamp'> {
  return { id, queue: queueOf(id) ?? '', timestamp: timeOf(id) };
}

/** Resolves with the id of the job that stands, which is another one only by dedupe, and whether the queue holds it back. */
async function store(line: Line, job: Omit<Addition, 'labels'>): ReturnType<typeof addToLine> {
  const { id, queue, type, data, stored, timestamp, claim, dedupe } = job;
  const labelled = labelsOf(stored);
  const labels = labelled && JSON.stringify(labelled);
  if (stored.delay || stored.priority || dedupe) return addToLine(line, { ...job, labels });
  const group = groupField(stored);
  const options = JSON.stringify(stored);
  const state = await line.intake.store(queue, { id, type, input: data, options, timestamp, labels, group }, claim);
  return { stands: id, isParked: state === 'delayed' };
}

interface Line {
  redis: Redis;
  prefix: string;
  queues: QueueHandles;
  admission: Admission;
  intake: Intake;
  claims: Claims;
  arrivals: Arrivals;
  newId: ReturnType<typeof createIds>;
}

function claimJob(
  { claims }: Line,
  { type, input = {}, options = {}, tenant, idempotencyKey: key = '' }: Submission,
  { stored, now }: { stored: JobsOptions; now: number },
): Promise<Claim> {
  return claims.job({ key, tenant }, { type, input, options, delayMs: stored.delay ?? 0 }, now);
}

function countFlow(arrivals: Arrivals, { type, children }: FlowTree): void {
  arrivals.count(type.queue);
  for (const child of children) countFlow(arrivals, child);
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
function storedOptions(
  { type, options, batch, tenant, schedule }: Omit<Submission, 'input'>,
  now: number,
): Pick<Addition, 'stored' | 'dedupe'> {
  const asked = { ...type.defaults, ...options };
  const { attempts = 1, backoff, priority = 0, timeoutMs, ttlMs, tags } = asked;
  // A time of its own stands in the place of the type's delay.
  const delayMs = delayUntilDue(options?.runAt === undefined ? asked : options, now);
  const stored: JobsOptions & StoredOptions = {};
  if (attempts > 1) {
    stored.attempts = attempts;
    if (backoff) stored.backoff = storedBackoff(backoff);
  }
  if (asked.group !== undefined) stored.group = asked.group;
  if (priority > 0) stored[asked.group === undefined ? 'priority' : 'groupPriority'] = priority;
  if (delayMs > 0) stored.delay = delayMs;
  if (timeoutMs !== type.defaults.timeoutMs) stored.timeoutMs = timeoutMs;
  // Looked at before the type is, so it is stored also where it is the type's default.
  if (ttlMs !== undefined) stored.ttlMs = ttlMs;
  storeLabels(stored, { tags, batch, tenant, schedule: schedule?.name });
  const read = asked.dedupe ? readDedupe(asked.dedupe, { type: type.type, tenant, delayMs }) : readOverlap(schedule);
  if (!read) return { stored, dedupe: undefined };
  const { by, stored: kept } = read;
  return { stored: Object.assign(stored, kept), dedupe: by };
}

/** What the job is found by. */
function storeLabels(
  stored: StoredOptions,
  {
    tags,
    batch,
    tenant,
    schedule,
  }: Partial<Record<'batch' | 'tenant' | 'schedule', string | undefined>> & {
    tags?: string[] | undefined;
  },
): void {
  if (tags?.length) stored.tags = tags;
  if (batch) stored.batch = batch;
  if (tenant) stored.tenant = tenant;
  if (schedule) stored.schedule = schedule;
}

/**
 * @throws SpillwayError `invalid_request` for `dedupe`: a job in whose place another stands cannot be waited for; and for
 * `runAt`: a parent's delay begins when its children have ended, so a time may have no meaning.
 */
function memberOptions(type: JobType, options: JobOptions, labels: Pick<Submission, 'batch' | 'tenant'>) {
  if (options.runAt !== undefined)
    throw new SpillwayError('invalid_request', `expected no runAt in the jobs of a flow, got it for ${type.type}`);
  if (!options.dedupe) return fromFlow(storedOptions({ type, options, ...labels }, 0).stored);
  throw new SpillwayError('invalid_request', `expected no dedupe in the jobs of a flow, got it for ${type.type}`);
}

/** The engine moves members of a flow by itself, so those with a group are looked at when a worker takes them. */
function fromFlow(stored: Addition['stored']): Addition['stored'] {
  return stored.group === undefined ? stored : { ...stored, ungranted: true };
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
  const stored = readOptions({ opts: options ?? '{}' });
  for (const label of indexesOf(stored)) leftovers.zrem(keys.label(...labelParts(label)), id);
  await leftovers.exec();
  const group = groupField(stored);
  if (group !== undefined) await leaveGroup(redis, keys, id, group);
}

async function setPaused(queues: QueueHandles, queue: string, paused: boolean): Promise<ControlOutcome> {
  const handle = queues.get(queue);
  if ((await handle.isPaused()) === paused) return { done: false };
  await (paused ? handle.pause() : handle.resume());
  return { done: true };
}
