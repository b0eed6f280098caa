import type { WorkerInfo } from '@spillway/contracts';
import type { Line } from './line.ts';

/** Who works on a queue. */
export interface Crew {
  workers: number;
  /** Jobs that they run at once. */
  slots: number;
  /** Types that one of them runs. */
  types: ReadonlySet<string>;
}

/** The workers that are alive and serve the queue. Pure. */
export function crewOf(queue: string, alive: readonly WorkerInfo[]): Crew {
  const workers = alive.filter(({ queues }) => queues.includes(queue));
  return {
    workers: workers.length,
    slots: workers.reduce((sum, { concurrency }) => sum + (concurrency[queue] ?? 0), 0),
    types: new Set(workers.flatMap(({ types }) => types)),
  };
}

/**
 * Jobs a second that the queue gets through while it has some: slots by the time that a job occupies one, within the queue's
 * limits. Undefined where no run was measured yet; 0 where nobody takes jobs. Pure.
 */
export function drainPerSecond({ rates, paused, concurrency, rate }: Line, { slots }: Pick<Crew, 'slots'>) {
  const usable = Math.min(slots, concurrency ?? Number.POSITIVE_INFINITY);
  if (paused || usable === 0) return 0;
  // A limit of the whole queue keeps slots free, which then says nothing of the job's own time.
  const occupiedMs = (usable < slots ? undefined : rates.cycleMs) ?? rates.run?.meanMs;
  if (!occupiedMs) return undefined;
  const allowed = rate ? (rate.max * 1000) / rate.perMs : Number.POSITIVE_INFINITY;
  return Math.min((usable * 1000) / occupiedMs, allowed);
}
