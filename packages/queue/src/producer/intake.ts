import type { Redis } from '@spillway/bullmq';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { Admission } from './admission.ts';
import type { Claim } from './claims.ts';
import { STORE_SCRIPTS } from './submit-script.ts';

/** A job that may start at once, as it is stored. */
export interface NewJob {
  id: string;
  type: string;
  /** JSON. */
  input: string;
  /** JSON. */
  options: string;
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** JSON; absent where the job has none. */
  labels?: string | undefined;
  /** What the record says of the group; absent where it has none. */
  group?: string | undefined;
}

/** A job that may start at once is delayed where its queue holds it back until there is room. */
export type StoredState = 'waiting' | 'delayed';

/** Takes jobs in and stores those of one turn of the event loop together. */
export interface Intake {
  /**
   * Resolves with the job's state once Redis holds it; rejects, with all others of its turn, when it could not be asked. Under a claim also
   * resolves where the job was held before and is gone by now.
   * @throws SpillwayError `queue_full`
   */
  store(queue: string, job: NewJob, claim?: Claim): Promise<StoredState>;
}

interface Batch {
  queue: string;
  keys: QueueKeys;
  /** Jobs of one claim, those of a batch, travel together and apart from all others. */
  claim: Claim | undefined;
  /** Jobs with a group travel apart from the others. */
  isGrouped: boolean;
  args: (string | number)[];
  /** The place of a labelled job in the script's arguments, and its labels. */
  labels: (string | number)[];
  done: { resolve: (state: StoredState) => void; reject: (error: unknown) => void }[];
}

/** Jobs in one call at most: Redis serves nobody else meanwhile, and at about 8 µs each this stays below a millisecond. */
const BATCH_MAX = 100;

interface IntakeSetup {
  redis: Redis;
  prefix: string;
  admission: Admission;
}

export function createIntake({ redis, prefix, admission }: IntakeSetup): Intake {
  const batches = new Map<string, Batch>();

  function open(name: string, queue: string, claim: Claim | undefined, isGrouped: boolean): Batch {
    const batch: Batch = { queue, keys: queueKeys(prefix, queue), claim, isGrouped, args: [], labels: [], done: [] };
    batch.args.push(batch.keys.base, EVENTS_KEPT, 0);
    batches.set(name, batch);
    setImmediate(() => {
      if (batches.get(name) === batch) batches.delete(name);
      void send({ redis, admission }, batch);
    });
    return batch;
  }

  return {
    store(queue, { id, type, input, options, timestamp, labels, group }, claim) {
      const line = group === undefined ? queue : `${queue} in groups`;
      const name = claim ? `${line} ${claim.digest}` : line;
      const batch = batches.get(name) ?? open(name, queue, claim, group !== undefined);
      if (labels) batch.labels.push(batch.args.length + 1, labels);
      batch.args.push(id, type, input, options, timestamp);
      if (group !== undefined) batch.args.push(group);
      if (batch.done.length + 1 === BATCH_MAX) batches.delete(name);
      return new Promise((resolve, reject) => batch.done.push({ resolve, reject }));
    },
  };
}

async function send({ redis, admission }: Omit<IntakeSetup, 'prefix'>, batch: Batch): Promise<void> {
  const { queue, done } = batch;
  seal(batch);
  try {
    const stored = admission.mayLimit(queue) ? -1 : await run(redis, batch, 'unlimited');
    if (stored === -1) await settleLimited({ redis, admission }, batch);
    else for (const { resolve } of done) resolve('waiting');
  } catch (error) {
    for (const { reject } of done) reject(error);
  }
}

/** Puts what all jobs have in common behind them. */
function seal({ claim, args, labels, done }: Batch): void {
  args[2] = done.length;
  args.push(...labels);
  if (claim) args.push(claim.keptS);
}

function run(redis: Redis, { keys, claim, isGrouped, args }: Batch, kind: 'limited' | 'unlimited'): Promise<unknown> {
  const touched = [keys.events, keys.wait, keys.meta, keys.active, keys.marker];
  if (claim) touched.push(keys.submitted(claim.digest));
  return STORE_SCRIPTS[isGrouped ? 'grouped' : 'plain'][kind](redis, touched, args);
}

/** Stores what the queue takes; each of the others is refused by itself. */
async function settleLimited({ redis, admission }: Omit<IntakeSetup, 'prefix'>, batch: Batch): Promise<void> {
  const [, hasLimits, ...others] = (await run(redis, batch, 'limited')) as [number, number, ...unknown[]];
  admission.note(batch.queue, hasLimits === 1);
  const waiting = new Set(batch.done);
  for (let at = 0; at < others.length; at += REFUSAL_PARTS) {
    const job = batch.done[Number(others[at])];
    if (!job) continue;
    waiting.delete(job);
    if (others[at + 1] === 'park') job.resolve('delayed');
    else job.reject(await admission.refuse(batch.queue, others.slice(at + 1, at + REFUSAL_PARTS)));
  }
  for (const { resolve } of waiting) resolve('waiting');
}

/** The number of a job that did not go into line, and why. */
const REFUSAL_PARTS = 5;
