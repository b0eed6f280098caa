import type { Redis } from 'ioredis';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { EVENTS_KEPT } from '../engine/limits.ts';
import { storeJobs } from './submit-script.ts';

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
}

/** Takes jobs in and stores those of one turn of the event loop together. */
export interface Intake {
  /** Resolves once Redis holds the job; rejects, with all others of its turn, when it could not be asked. */
  store(queue: string, job: NewJob): Promise<void>;
}

interface Batch {
  keys: QueueKeys;
  args: (string | number)[];
  /** The place of a labelled job in the script's arguments, and its labels. */
  labels: (string | number)[];
  done: { resolve: () => void; reject: (error: unknown) => void }[];
}

/** Jobs in one call at most: Redis serves nobody else meanwhile, and at about 8 µs each this stays below a millisecond. */
const BATCH_MAX = 100;

export function createIntake(redis: Redis, prefix: string): Intake {
  const batches = new Map<string, Batch>();

  function open(queue: string): Batch {
    const batch: Batch = { keys: queueKeys(prefix, queue), args: [], labels: [], done: [] };
    batch.args.push(batch.keys.base, EVENTS_KEPT, 0);
    batches.set(queue, batch);
    setImmediate(() => {
      if (batches.get(queue) === batch) batches.delete(queue);
      void send(redis, batch);
    });
    return batch;
  }

  return {
    store(queue, { id, type, input, options, timestamp, labels }) {
      const batch = batches.get(queue) ?? open(queue);
      if (labels) batch.labels.push(batch.args.length + 1, labels);
      batch.args.push(id, type, input, options, timestamp);
      if (batch.done.length + 1 === BATCH_MAX) batches.delete(queue);
      return new Promise((resolve, reject) => batch.done.push({ resolve, reject }));
    },
  };
}

async function send(redis: Redis, { keys, args, labels, done }: Batch): Promise<void> {
  args[2] = done.length;
  args.push(...labels);
  try {
    await storeJobs(redis, [keys.events, keys.wait, keys.meta, keys.active, keys.marker], args);
    for (const { resolve } of done) resolve();
  } catch (error) {
    for (const { reject } of done) reject(error);
  }
}
