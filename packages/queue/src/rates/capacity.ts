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
 * For how long a job occupies one of the slots that may be used; undefined before the first run was measured. Where the
 * queue's own limit keeps slots free, what was measured of all slots together says nothing of a job's own time. Pure.
 */
export function occupiedMs({ rates, concurrency }: Line, { slots }: Pick<Crew, 'slots'>): number | undefined {
  const isLimited = concurrency !== undefined && concurrency < slots;
  return (isLimited ? undefined : rates.cycleMs) ?? rates.run?.meanMs;
}

/** Slots that the queue's own limit lets work. Pure. */
export function usableSlots({ concurrency = Number.POSITIVE_INFINITY }: Line, { slots }: Pick<Crew, 'slots'>): number {
  return Math.min(slots, concurrency);
}

/**
 * Jobs a second that the slots get through while there are some. Undefined where no run was measured yet; 0 where nobody
 * takes jobs. Pure.
 */
export function slotsPerSecond(line: Line, crew: Pick<Crew, 'slots'>): number | undefined {
  const usable = usableSlots(line, crew);
  if (line.paused || usable === 0) return 0;
  const ms = occupiedMs(line, crew);
  return ms ? (usable * 1000) / ms : undefined;
}

/** The same within the queue's limit of starts. Pure. */
export function drainPerSecond(line: Line, crew: Pick<Crew, 'slots'>): number | undefined {
  const perSecond = slotsPerSecond(line, crew);
  if (perSecond === undefined || !line.rate) return perSecond;
  return Math.min(perSecond, (line.rate.max * 1000) / line.rate.perMs);
}
