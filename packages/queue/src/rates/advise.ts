import { type Crew, occupiedMs } from './capacity.ts';
import type { Line } from './line.ts';

export interface Wish {
  /** How long a job may wait. */
  targetWaitMs: number;
  /** Jobs at once of a worker, where none is alive to show it. */
  slotsPerWorker: number;
}

/** Sums of measured fractions are not exact; a billionth of a worker is none. */
const ROUNDING = 1e-9;

/**
 * How many workers a queue needs, so that its jobs start within the target: slots for what comes in (Little's law: arrivals
 * times the time that each occupies a slot), and slots that work off the backlog within the target. Never fewer than run
 * jobs now, as a stop would interrupt them; none where nothing comes, waits or runs. Where no run was measured yet, jobs
 * that wait are worth one worker, and those that are there are kept. Pure: whoever follows the advice smooths it.
 */
export function adviseWorkers(line: Line, crew: Crew, { targetWaitMs, slotsPerWorker }: Wish): number {
  const perWorker = crew.workers > 0 && crew.slots > 0 ? crew.slots / crew.workers : slotsPerWorker;
  const { backlog, active, rates, paused } = line;
  // Nothing starts in a paused queue, so more workers would start nothing.
  if (paused) return Math.ceil(active / perWorker);
  const ms = occupiedMs(line, crew);
  if (ms === undefined) return backlog + active > 0 ? Math.max(1, crew.workers) : 0;
  const slots = (rates.arrivalsPerSecond * ms) / 1000 + (backlog * ms) / targetWaitMs;
  const needed = Math.max(Math.min(slots, mostSlots(line, ms)), active);
  return Math.max(0, Math.ceil(needed / perWorker - ROUNDING));
}

/** Slots beyond what the queue's own limits let run would stay empty. */
function mostSlots({ concurrency = Number.POSITIVE_INFINITY, rate }: Line, occupiedMs: number): number {
  return rate ? Math.min(concurrency, Math.max(1, (rate.max * occupiedMs) / rate.perMs)) : concurrency;
}
