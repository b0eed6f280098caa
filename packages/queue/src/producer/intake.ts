import type { Redis } from 'ioredis';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import type { Claim } from './claims.ts';
import { storeGroupedJobs, storeJobs } from './submit-script.ts';

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

/** Takes jobs in and stores those of one turn of the event loop together. */
export interface Intake {
  /**
   * Resolves once Redis holds the job; rejects, with all others of its turn, when it could not be asked. Under a claim also
   * resolves where the job was held before and is gone by now.
   */
  store(queue: string, job: NewJob, claim?: Claim): Promise<void>;
}

interface Batch {
  keys: QueueKeys;
  /** Jobs of one claim, those of a batch, travel together and apart from all others. */
  claim: Claim | undefined;
  /** Jobs with a group travel apart from the others. */
  isGrouped: boolean;
  args: (string | number)[];
  /** The place of a labelled job in the script's arguments, and its labels. */
  labels: (string | number)[];
  done: { resolve: () => void; reject: (error: unknown) => void }[];
}

/** Jobs in one call at most: Redis serves nobody else meanwhile, and at about 8 µs each this stays below a millisecond. */
const BATCH_MAX = 100;

export function createIntake(redis: Redis, prefix: string): Intake {
  const batches = new Map<string, Batch>();

  function open(name: string, queue: string, claim: Claim | undefined, isGrouped: boolean): Batch {
    const batch: Batch = { keys: queueKeys(prefix, queue), claim, isGrouped, args: [], labels: [], done: [] };
    batch.args.push(batch.keys.base, EVENTS_KEPT, 0);
    batches.set(name, batch);
    setImmediate(() => {
      if (batches.get(name) === batch) batches.delete(name);
      void send(redis, batch);
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

async function send(redis: Redis, { keys, claim, isGrouped, args, labels, done }: Batch): Promise<void> {
  args[2] = done.length;
  args.push(...labels);
  const touched = [keys.events, keys.wait, keys.meta, keys.active, keys.marker];
  if (claim) {
    touched.push(keys.submitted(claim.digest));
    args.push(claim.keptS);
  }
  try {
    await (isGrouped ? storeGroupedJobs : storeJobs)(redis, touched, args);
    for (const { resolve } of done) resolve();
  } catch (error) {
    for (const { reject } of done) reject(error);
  }
}
