import type { Redis } from '@spillway/bullmq';
import { Job as EngineJob } from '@spillway/bullmq';
import { queueOf, type RetryFailedReply, type RetryFailedRequest, SpillwayError } from '@spillway/contracts';
import { reopenMember } from '../engine/batch-script.ts';
import { clearCancellation } from '../engine/cancel-script.ts';
import { decodeFailure } from '../engine/failure.ts';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { QueueHandles } from '../engine/queue-handles.ts';
import { BEHIND_MAX, type Behind, type Entry, readBehind } from '../engine/read-behind.ts';
import { storedOptions } from '../engine/record.ts';
import { type ControlOutcome, notFound } from './cancel.ts';
import { retryInFlow } from './flow-control.ts';
import { retryEnded } from './retry-script.ts';

/** Failed jobs that one call looks at: a filter that finds little must not read a whole queue for one answer. */
const SCAN_MAX = 1000;
const LIMIT_DEFAULT = 100;

/** The answers of the script. */
const DONE = 1;
const WAITS = 2;
const OF_FLOW = 3;

export interface RetrySetup {
  redis: Redis;
  prefix: string;
  queues: QueueHandles;
  now: () => number;
}

/** How far the failed jobs of a queue were gone through: behind this one, and up to those that ended at `until`. */
export interface Place extends Behind {
  /** Where several queues are gone through. */
  queue?: string;
}

export function createRetry(setup: RetrySetup) {
  return {
    one: (id: string) => retryOne(setup, id),
    failed: (queue: string, filter: RetryFailedRequest) => retryFailed(setup, queue, filter),
  };
}

async function retryOne(setup: RetrySetup, id: string): Promise<ControlOutcome> {
  const queue = queueOf(id);
  if (!queue) throw notFound(id);
  return (await retryInFlow(setup, id, (child) => retryOne(setup, child), setup.now())) ?? retryAlone(setup, queue, id);
}

/** Nothing else has to be done for its parent or its children, or it is done. */
async function retryAlone(setup: RetrySetup, queue: string, id: string): Promise<ControlOutcome> {
  const [answer] = await retryAll(setup, queue, [id], async () =>
    (await retryByEngine(setup, queue, id)) ? DONE : WAITS,
  );
  switch (answer) {
    case 0:
      throw notFound(id);
    case -1:
      throw new SpillwayError('job_active', `expected a job that has ended, got ${id}, which is running`);
    case -2:
      throw new SpillwayError('job_final', `expected a failed or cancelled job, got ${id}, which completed`);
    default:
      return { done: answer === DONE };
  }
}

/** Retries jobs of one queue that are known to have failed. Returns how many wait again by this. */
export async function retryMany(setup: RetrySetup, queue: string, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const answers = await retryAll(setup, queue, ids, (id) => retryMember(setup, id));
  return answers.filter((answer) => answer === DONE).length;
}

async function retryAll(
  setup: RetrySetup,
  queue: string,
  ids: readonly string[],
  retryOfFlow: (id: string) => Promise<number>,
): Promise<number[]> {
  const { redis, prefix, now } = setup;
  const keys = queueKeys(prefix, queue);
  const { failed, completed, active, wait, prioritized, priorities, events, meta, marker } = keys;
  const answers = (await retryEnded(
    redis,
    [failed, completed, active, wait, prioritized, priorities, events, meta, marker],
    [keys.base, EVENTS_KEPT, now(), ...ids],
  )) as number[];
  return Promise.all(
    answers.map(async (answer, index) => (answer === OF_FLOW ? retryOfFlow(ids[index] ?? '') : answer)),
  );
}

/** False where somebody else was faster. */
async function retryByEngine({ redis, prefix, queues }: RetrySetup, queue: string, id: string): Promise<boolean> {
  const job = await EngineJob.fromId(queues.get(queue), id);
  const keys = queueKeys(prefix, queue);
  const reopen = () => reopenMember(redis, [keys.job(id)], [keys.base, id]);
  await clearCancellation(redis, keys, id);
  // The engine gives no number in line, and the old one would put the job before all others.
  await redis.hdel(keys.job(id), 'n');
  await reopen();
  try {
    await job?.retry('failed', { resetAttemptsMade: true });
    await reopen();
    return job !== undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === -1 || error.code === -3)) return false;
    throw error;
  }
}

async function retryFailed(setup: RetrySetup, queue: string, filter: RetryFailedRequest): Promise<RetryFailedReply> {
  const { redis, prefix, now } = setup;
  const { limit = LIMIT_DEFAULT } = filter;
  const keys = queueKeys(prefix, queue);
  let place = filter.cursor ? decode(filter.cursor) : startOf(filter, now());
  let retried = 0;
  for (let scanned = 0; scanned < SCAN_MAX && retried < limit; ) {
    const entries = await readBehind(redis, keys.failed, place);
    const { ids, last } = choose(entries, await matching(redis, keys, entries, filter), limit - retried);
    retried += await retryMany(setup, queue, ids);
    if (entries.length < BEHIND_MAX && last === entries.at(-1)) return { retried, more: false };
    scanned += entries.length;
    place = { ...place, ...last };
  }
  return { retried, more: true, cursor: encode(place) };
}

/** One whose flow has gone on without it, or is no longer whole, stays as it is. */
async function retryMember(setup: RetrySetup, id: string): Promise<number> {
  try {
    return (await retryOne(setup, id)).done ? DONE : WAITS;
  } catch (error) {
    if (error instanceof SpillwayError && error.code !== 'unavailable') return WAITS;
    throw error;
  }
}

function startOf({ endedAfter, endedBefore }: RetryFailedRequest, nowMs: number): Place {
  const until = endedBefore === undefined ? nowMs : Math.min(Date.parse(endedBefore) - 1, nowMs);
  return { at: endedAfter === undefined ? 0 : Date.parse(endedAfter), id: '', until };
}

async function matching(
  redis: Redis,
  keys: QueueKeys,
  entries: readonly Entry[],
  { type, code, tag }: RetryFailedRequest,
): Promise<boolean[]> {
  const pipeline = redis.pipeline();
  for (const { id } of entries) pipeline.hmget(keys.job(id), 'name', 'opts', 'failedReason');
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, values]) => {
    if (error) throw error;
    const [name, opts, reason] = values as (string | null)[];
    const failure = decodeFailure(reason ?? '').code;
    return (
      (type === undefined || name === type) &&
      (code === undefined ? failure !== 'cancelled' : failure === code) &&
      (tag === undefined || (storedOptions({ opts: opts ?? '{}' }).tags?.includes(tag) ?? false))
    );
  });
}

/** The first `room` that match, and the last one that was looked at. */
function choose(entries: readonly Entry[], matches: readonly boolean[], room: number): { ids: string[]; last?: Entry } {
  const chosen = entries.filter((_, index) => matches[index]).slice(0, room);
  const last = chosen.length === room ? chosen.at(-1) : entries.at(-1);
  return { ids: chosen.map(({ id }) => id), ...(last && { last }) };
}

export function encode(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

export function decode(cursor: string): Place {
  try {
    const { at, id, until, queue } = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Place;
    if (Number.isInteger(at) && Number.isInteger(until) && typeof id === 'string')
      return { at, id, until, ...(typeof queue === 'string' && { queue }) };
  } catch {
    // Falls through to the one answer for anything that is no cursor of ours.
  }
  throw new SpillwayError('invalid_request', 'expected cursor to be that of the reply before, got something else');
}
