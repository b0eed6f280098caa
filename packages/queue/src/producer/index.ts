import { type FlowMember, type Job, type JobOptions, type JobType, queueOf, SpillwayError } from '@spillway/contracts';
import type { JobsOptions } from 'bullmq';
import { Job as EngineJob } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueKeys } from '../engine/keys.ts';
import { fileLabels } from '../engine/label-script.ts';
import { labelParts, labelsOf, targetsOf } from '../engine/labels.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { openQueues, type QueueHandles } from '../engine/queue-handles.ts';
import { storedOptions as readOptions, type StoredOptions } from '../engine/record.ts';
import { withRedis } from '../engine/unavailable.ts';
import { type ControlOutcome, createCancel, notFound } from './cancel.ts';
import { addFlow, type FlowTree } from './flow.ts';
import { assertRemovable, retryInFlow } from './flow-control.ts';
import { createIds } from './ids.ts';
import { createIntake, type Intake } from './intake.ts';

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
}

/** Puts jobs in and steers them. All calls fail with `unavailable` within seconds while Redis is away; none of them hangs. */
export interface Producer {
  /** Stores one job. Resolves once Redis holds it. */
  submit(submission: Submission): Promise<Job>;
  /** Stores a tree of jobs, children to run before their parents: all of it or nothing. All are jobs of one batch. */
  submitFlow(tree: FlowTree, labels: { batch: string; tenant?: string | undefined }): Promise<FlowMember>;
  /** Makes the name of a new batch. */
  newBatch(): string;
  /**
   * Ends a job that no worker runs yet, and with it the jobs that it waits for.
   * @throws job_not_found, job_active, job_final (completed or failed).
   */
  cancel(id: string, by: string): Promise<ControlOutcome>;
  /**
   * Gives a failed or cancelled job all its attempts again, and with it the children that failed it.
   * @throws job_not_found, job_final (completed, or a child is gone), job_active (its parent runs without it).
   */
  retry(id: string): Promise<ControlOutcome>;
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
  now?: () => number;
}): Producer {
  const { redis, prefix, now = Date.now } = setup;
  const queues = openQueues(redis, prefix, setup.onError);
  const newId = createIds();
  const intake = createIntake(redis, prefix);
  const cancel = createCancel({ redis, prefix, now });
  const retryMember = async (id: string): Promise<ControlOutcome> =>
    (await retryInFlow({ redis, prefix }, id, retryMember, now())) ?? retry(queues, id);
  return {
    newBatch: () => newId('batch', now()),
    submit: (submission) => withRedis(redis, () => submit({ redis, prefix, queues, intake, newId }, submission, now())),
    submitFlow: (tree, labels) =>
      withRedis(redis, () => addFlow({ redis, prefix, newId, toStored: storedOptions }, tree, labels, now())),
    cancel,
    retry: (id) => withRedis(redis, () => retryMember(id)),
    remove: (id) => withRedis(redis, () => remove(redis, prefix, queues, id)),
    pause: (queue) => withRedis(redis, () => setPaused(queues, queue, true)),
    resume: (queue) => withRedis(redis, () => setPaused(queues, queue, false)),
    close: () => queues.close(),
  };
}

async function submit(
  line: Line & { intake: Intake; newId: ReturnType<typeof createIds> },
  { type, input = {}, options = {}, batch, tenant }: Submission,
  timestamp: number,
): Promise<Job> {
  const id = line.newId(type.queue, timestamp);
  const stored = storedOptions(type, options, { batch, tenant });
  const data = JSON.stringify(input);
  const labelled = labelsOf(stored);
  const labels = labelled && JSON.stringify(labelled);
  if (stored.delay || stored.priority) await addToLine(line, { id, type, data, stored, timestamp, labels });
  else {
    const job = { id, type: type.type, input: data, options: JSON.stringify(stored), timestamp, labels };
    await line.intake.store(type.queue, job);
  }
  return {
    id,
    type: type.type,
    queue: type.queue,
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
}

interface Line {
  redis: Redis;
  prefix: string;
  queues: QueueHandles;
}

interface Addition {
  id: string;
  type: JobType;
  data: string;
  stored: JobsOptions;
  timestamp: number;
  labels: string | undefined;
}

/** Jobs that wait for their time or behind others are rarer, and take the engine's own way in. */
async function addToLine(
  { redis, prefix, queues }: Line,
  { id, type, data, stored, timestamp, labels }: Addition,
): Promise<void> {
  const { delay, priority } = stored;
  if (labels) {
    const { base, events } = queueKeys(prefix, type.queue);
    const delayS = Math.ceil((delay ?? 0) / 1000);
    await fileLabels(redis, [events], [base, EVENTS_KEPT, id, timestamp, labels, delayS]);
  }
  // `queue.add` would store the id a second time, inside the options; the backend's `addJob` is the same insert without.
  const record = { ...EMPTY_RECORD, id, name: type.type, data, opts: stored, timestamp, delay, priority };
  await queues.get(type.queue).getBackend().addJob(record, id);
}

/** Fields of the engine's record that a new job does not have yet. */
const EMPTY_RECORD = {
  progress: 0,
  attemptsMade: 0,
  attemptsStarted: 0,
  stalledCounter: 0,
  failedReason: '',
  returnvalue: '',
};

/** Waits between attempts where neither the submitter nor the type says: from a second on, doubling, spread by half. */
const DEFAULT_BACKOFF = { type: 'exponential', delay: 1000, jitter: 0.5 } as const;

/** What is stored with the job, and nothing that is a default: a million waiting jobs pay for every byte. */
function storedOptions(
  type: JobType,
  options: JobOptions,
  { batch, tenant }: Pick<Submission, 'batch' | 'tenant'>,
): JobsOptions & StoredOptions {
  const { attempts = 1, backoff, priority = 0, timeoutMs, tags, delayMs = 0 } = { ...type.defaults, ...options };
  const stored: JobsOptions & StoredOptions = {};
  if (attempts > 1) {
    stored.attempts = attempts;
    stored.backoff = backoff ? engineBackoff(backoff) : DEFAULT_BACKOFF;
  }
  if (priority > 0) stored.priority = priority;
  if (delayMs > 0) stored.delay = delayMs;
  if (timeoutMs !== type.defaults.timeoutMs) stored.timeoutMs = timeoutMs;
  if (tags?.length) stored.tags = tags;
  if (batch) stored.batch = batch;
  if (tenant) stored.tenant = tenant;
  return stored;
}

function engineBackoff({ type, delayMs, jitter }: NonNullable<JobOptions['backoff']>) {
  return { type, delay: delayMs, ...(jitter !== undefined && { jitter }) };
}

async function retry(queues: QueueHandles, id: string): Promise<ControlOutcome> {
  const job = await EngineJob.fromId(queues.get(queueOfOrThrow(id)), id);
  if (!job) throw notFound(id);
  if (!job.finishedOn) return { done: false };
  if (!job.failedReason)
    throw new SpillwayError('job_final', `expected a failed or cancelled job, got ${id}, which completed`);
  try {
    await job.retry('failed', { resetAttemptsMade: true });
    return { done: true };
  } catch (error) {
    // Somebody else retried it between our look and our call: it is as asked.
    if (isEngineError(error, -3)) return { done: false };
    if (isEngineError(error, -1)) throw notFound(id);
    throw error;
  }
}

async function remove(redis: Redis, prefix: string, queues: QueueHandles, id: string): Promise<void> {
  const queue = queueOfOrThrow(id);
  const keys = queueKeys(prefix, queue);
  const [exists, options] = await Promise.all([redis.exists(keys.job(id)), redis.hget(keys.job(id), 'opts')]);
  if (exists === 0) throw notFound(id);
  await assertRemovable({ redis, prefix }, id);
  if ((await queues.get(queue).remove(id, { removeChildren: false })) === 0) {
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

function queueOfOrThrow(id: string): string {
  const queue = queueOf(id);
  if (!queue) throw notFound(id);
  return queue;
}

function isEngineError(error: unknown, code: number): boolean {
  return error instanceof Error && (error as Error & { code?: unknown }).code === code;
}
