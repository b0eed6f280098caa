import type { JobRecord } from '../engine/record.ts';
import { COUNTED, type Counts, noCounts } from './counts.ts';

/** What a queue was measured to do. Rates are those of the last ten full seconds, or of all that there were. */
export interface MeasuredRates {
  arrivalsPerSecond: number;
  startsPerSecond: number;
  endsPerSecond: number;
  /** Slots that had a job, on average. */
  busySlots: number;
  /** Run time of the latest 200 jobs or so, however long ago they ended; absent before the first. */
  run?: { meanMs: number; deviationMs: number };
  /**
   * For how long a job occupies a slot, from one start to the next, in workers that never found the line empty: with what
   * lies between two jobs. Absent where there was no such worker of late.
   */
  cycleMs?: number;
}

/** Chance moves the rate of a queue of ten jobs a second by a tenth over this time, and a change shows within seconds. */
const WINDOW_S = 10;
/** Ends that a cycle is measured by at least; fewer say less than the mean of all runs. */
const CYCLE_ENDS_MIN = 10;

/** Reads what the script of counts has written. `nowS` is by the clock of Redis. Pure. */
export function measure(stored: JobRecord, nowS: number): MeasuredRates {
  const seconds = secondsOf(stored);
  const full = seconds.filter(({ second }) => second >= nowS - WINDOW_S && second < nowS);
  const spanS = Math.min(WINDOW_S, Math.max(1, nowS - Number(stored.since ?? nowS)));
  const counts = sum(full);
  // Of the second that runs, both parts of the quotient are known alike.
  const { fullMs, fullEnds } = sum(seconds.filter(({ second }) => second > nowS - WINDOW_S));
  const run = runOf(stored.runs);
  return {
    arrivalsPerSecond: counts.arrivals / spanS,
    startsPerSecond: counts.starts / spanS,
    endsPerSecond: counts.ends / spanS,
    busySlots: counts.busyMs / 1000 / spanS,
    ...(run && { run }),
    ...(fullEnds >= CYCLE_ENDS_MIN && { cycleMs: fullMs / fullEnds }),
  };
}

interface Second {
  second: number;
  counts: Counts;
}

function secondsOf(stored: JobRecord): Second[] {
  return Object.entries(stored).flatMap(([field, text]) => {
    if (!/^\d+$/.test(field)) return [];
    const [second = 0, ...values] = text.split(',').map(Number);
    const counts = noCounts();
    for (const [at, name] of COUNTED.entries()) counts[name] = values[at] ?? 0;
    return [{ second, counts }];
  });
}

function sum(seconds: readonly Second[]): Counts {
  const total = noCounts();
  for (const { counts } of seconds) for (const name of COUNTED) total[name] += counts[name];
  return total;
}

function runOf(stored: string | undefined): MeasuredRates['run'] {
  const [number = 0, total = 0, squares = 0] = stored?.split(',').map(Number) ?? [];
  if (number <= 0) return undefined;
  const meanMs = total / number;
  return { meanMs, deviationMs: Math.sqrt(Math.max(0, squares / number - meanMs * meanMs)) };
}
