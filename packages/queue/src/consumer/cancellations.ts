import type { Redis } from '@spillway/bullmq';
import { type Cancellation, CancelledError } from '@spillway/contracts';
import { cancelJob } from '../engine/cancel-script.ts';
import type { QueueKeys } from '../engine/keys.ts';
import type { Outcome } from './index.ts';
import type { RunningJob } from './running-job.ts';

/**
 * How a worker learns that a job which it runs is to be cancelled: it looks, twice a second while it runs something. A
 * message could be lost; a mark in the job stays until it is seen.
 */
export interface Cancellations {
  /** To be called when a job starts. Looking ends by itself once nothing runs. */
  wake(): void;
  /** The mark of one job; undefined also where Redis cannot be asked, since the next look finds it too. */
  markOf(id: string): Promise<Cancellation | undefined>;
  /** Ends a job that has gone back to its line with a mark; does nothing to any other. Never throws. */
  endMarked(id: string): void;
}

export interface CancellationsSetup {
  redis: Redis;
  keys: QueueKeys;
  running: ReadonlySet<RunningJob>;
  /** Called for each job that runs and has a mark, at every look. */
  onCancel: (lease: RunningJob, cancellation: Cancellation) => void;
  onError: (error: Error) => void;
}

/** A signal aborts within a second of the cancel, a slow answer included. */
const LOOK_MS = 500;

export function watchCancellations({ redis, keys, running, onCancel, onError }: CancellationsSetup): Cancellations {
  let timer: NodeJS.Timeout | undefined;
  /** While Redis is away one look waits for it, not one for each half second. */
  let isLooking = false;

  async function look(): Promise<void> {
    // Where nobody has cancelled anything that ran, this is all.
    if ((await redis.exists(keys.cancelling)) === 0) return;
    // The jobs that run now, whatever has taken the place of one of them by the time the answers are here.
    const leases = [...running];
    await Promise.all(
      leases.map(async (lease) => {
        const mark = await readMark(lease.id);
        if (mark) onCancel(lease, mark);
      }),
    );
  }

  function tick(): void {
    if (running.size === 0) {
      clearInterval(timer);
      timer = undefined;
    } else if (!isLooking) {
      isLooking = true;
      look()
        .catch(onError)
        .finally(() => {
          isLooking = false;
        });
    }
  }

  async function readMark(id: string): Promise<Cancellation | undefined> {
    const mark = await redis.hget(keys.job(id), 'cancel');
    return mark ? (JSON.parse(mark) as Cancellation) : undefined;
  }

  async function endMarked(id: string): Promise<void> {
    if (await readMark(id)) await cancelJob(redis, keys, id, { mark: '', now: Date.now() });
  }

  return {
    wake() {
      timer ??= setInterval(tick, LOOK_MS).unref();
    },
    markOf: (id) =>
      readMark(id).catch((error: Error) => {
        onError(error);
        return undefined;
      }),
    endMarked(id) {
      endMarked(id).catch(onError);
    },
  };
}

/** The end of a job that somebody cancelled. */
export function cancelled(cancellation: Cancellation): Outcome {
  const { message } = new CancelledError(cancellation);
  return { kind: 'failed', error: { code: 'cancelled', message }, retry: false };
}
