import type { Redis } from '@spillway/bullmq';
import { type QueueKeys, queueKeys } from '../engine/keys.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { addCountsScript } from './add-counts-script.ts';
import { COUNTED, type Counts, noCounts, type SlotCount } from './counts.ts';

/** How often a process adds what it counted. What a process that is killed has not added is lost, and nobody minds. */
const ADD_MS = 1000;

interface AddSetup {
  redis: Redis;
  onError: (error: Error) => void;
}

/** Adds what happened in the last second or so to a queue's rates. */
export async function addCounts(redis: Redis, { rates }: Pick<QueueKeys, 'rates'>, counts: Counts): Promise<void> {
  await addCountsScript(
    redis,
    [rates],
    COUNTED.map((name) => counts[name]),
  );
}

/** Adds what a worker's slots do, once a second, for as long as they do something. Returns the stop. */
export function addSlotCounts({ redis, onError, keys, slots }: AddSetup & { keys: QueueKeys; slots: SlotCount }) {
  const timer = setInterval(() => {
    const counts = slots.take();
    if (counts && redis.status === 'ready') addCounts(redis, keys, counts).catch(reportOthers(onError));
  }, ADD_MS).unref();
  return () => clearInterval(timer);
}

/** Counts the jobs that a process puts in, by queue, and adds them once a second; no timer runs while there are none. */
export interface Arrivals {
  count(queue: string, jobs?: number): void;
  /** What was not added yet is dropped. Closing twice is harmless. */
  close(): void;
}

export function countArrivals({ redis, prefix, onError }: AddSetup & { prefix: string }): Arrivals {
  const counted = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function add(): void {
    timer = undefined;
    // What was counted while Redis was away is not what comes in now.
    if (redis.status === 'ready')
      for (const [queue, arrivals] of counted)
        addCounts(redis, queueKeys(prefix, queue), { ...noCounts(), arrivals }).catch(reportOthers(onError));
    counted.clear();
  }

  return {
    count(queue, jobs = 1) {
      counted.set(queue, (counted.get(queue) ?? 0) + jobs);
      timer ??= setTimeout(add, ADD_MS).unref();
    },
    close() {
      clearTimeout(timer);
      timer = undefined;
      counted.clear();
    },
  };
}
