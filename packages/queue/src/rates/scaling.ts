import type { QueueScaling } from '@spillway/contracts';
import { adviseWorkers, type Wish } from './advise.ts';
import { type Crew, drainPerSecond } from './capacity.ts';
import type { Line } from './line.ts';

/** A queue as somebody sees it who scales its workers. Pure. */
export function toScaling(name: string, { line, crew }: { line: Line; crew: Crew }, wish: Wish): QueueScaling {
  const { rates, backlog, active, paused, oldestWaitMs = 0 } = line;
  const capacity = drainPerSecond(line, crew);
  return {
    name,
    backlog,
    active,
    oldestWaitMs,
    arrivalsPerSecond: rounded(rates.arrivalsPerSecond),
    startsPerSecond: rounded(rates.startsPerSecond),
    servicePerSecond: rounded(rates.endsPerSecond),
    ...(capacity !== undefined && { capacityPerSecond: rounded(capacity) }),
    ...(rates.run && { runMs: { mean: rounded(rates.run.meanMs), deviation: rounded(rates.run.deviationMs) } }),
    utilisation: crew.slots > 0 ? rounded(Math.min(1, rates.busySlots / crew.slots)) : 0,
    slots: crew.slots,
    workers: crew.workers,
    advisedWorkers: adviseWorkers(line, crew, wish),
    paused,
  };
}

/** Measured figures are not exact to the thousandth. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
