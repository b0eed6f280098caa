import { isFinal, type Job, type JobEvent } from '@spillway/contracts';
import type { Feed, FeedListener } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';

/**
 * Resolves with the job as soon as it is final, or as it stands after `waitMs`.
 * @throws SpillwayError `job_not_found`, also when the job is removed meanwhile.
 */
export type WaitForEnd = (id: string, waitMs: number) => Promise<Job>;

/** Whoever waits for a job here is told through this. */
export interface EndListener extends FeedListener {
  /** Wakes everybody for good: whoever waits is answered with the job as it stands. */
  close(): void;
  readonly closed: boolean;
  waitFor(id: string, waitMs: number): { woken: Promise<void>; stop: () => void };
}

export function createEndListener(): EndListener {
  const waiting = new Map<string, Set<() => void>>();
  const wake = (id: string) => {
    for (const resolve of waiting.get(id) ?? []) resolve();
  };
  let closed = false;
  return {
    get closed() {
      return closed;
    },
    close() {
      closed = true;
      for (const id of [...waiting.keys()]) wake(id);
    },
    onEvents(events) {
      for (const event of events) if (endsWait(event)) wake(event.job);
    },
    onGap(jobs) {
      for (const id of jobs) wake(id);
    },
    waitFor(id, waitMs) {
      let stop: () => void = () => undefined;
      const woken = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        const waiters = waiting.get(id) ?? new Set();
        waiting.set(id, waiters.add(resolve));
        stop = () => {
          clearTimeout(timer);
          waiters.delete(resolve);
          if (waiters.size === 0) waiting.delete(id);
        };
      });
      return { woken, stop };
    },
  };
}

function endsWait(event: JobEvent): boolean {
  return event.kind === 'removed' || (event.kind === 'state' && isFinal(event.state));
}

/** Follows the job first and looks second, so an end between the two is not missed. Nobody waiting costs nothing. */
export function createWaitForEnd(
  feed: Feed,
  listener: EndListener,
  reader: Reader,
  now: () => number = Date.now,
): WaitForEnd {
  return async (id, waitMs) => {
    const deadline = now() + waitMs;
    const release = await feed.follow(id);
    try {
      for (;;) {
        const { woken, stop } = listener.waitFor(id, Math.max(0, deadline - now()));
        try {
          const job = await reader.job(id);
          if (isFinal(job.state) || now() >= deadline || listener.closed) return job;
          await woken;
        } finally {
          stop();
        }
      }
    } finally {
      release();
    }
  };
}
