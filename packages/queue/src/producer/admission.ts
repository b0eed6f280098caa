import type { SpillwayError } from '@spillway/contracts';
import { queueFull, readRefusal, Waiters } from './refusal.ts';

/** What queues that limit what they take need to know beside their limits. */
export interface Admission {
  /**
   * Whether the queue is thought to limit what it takes. Only says which script is tried first: each of them finds out what
   * is true in the step that stores.
   */
  mayLimit(queue: string): boolean;
  note(queue: string, hasLimits: boolean): void;
  /** The refusal that a script gave (limit, its most, what was found, depth), as an error that says when to come again. */
  refuse(queue: string, reply: readonly unknown[]): Promise<SpillwayError>;
}

/** Jobs a second that a queue gets through, cheap to ask; undefined where nothing was measured. */
export type DrainPerSecond = (queue: string) => Promise<number | undefined>;

export function createAdmission({
  drainPerSecond = async () => undefined,
  now,
}: {
  drainPerSecond?: DrainPerSecond | undefined;
  now: () => number;
}): Admission {
  const limited = new Set<string>();
  const waiters = new Map<string, Waiters>();

  function waitersOf(queue: string): Waiters {
    const known = waiters.get(queue) ?? new Waiters();
    waiters.set(queue, known);
    return known;
  }

  return {
    mayLimit: (queue) => limited.has(queue),
    note(queue, hasLimits) {
      if (hasLimits) limited.add(queue);
      else limited.delete(queue);
    },
    async refuse(queue, reply) {
      const refusal = readRefusal(reply);
      // The refusal stands, whatever can be said about its end.
      const drain = await drainPerSecond(queue).catch(() => undefined);
      return queueFull(queue, refusal, waitersOf(queue).afterS(refusal, drain, now()));
    },
  };
}
