import type { PlaceInLine, WaitReason } from '@spillway/contracts';
import { type Crew, slotsPerSecond, usableSlots } from './capacity.ts';
import type { Line } from './line.ts';
import type { Place } from './places.ts';

/** What a place means for whoever waits: why it does not start, and when it may. Pure. */
export function estimate(place: Place, line: Line, crew: Crew, nowMs: number): PlaceInLine {
  const startsInMs = place.dueAt === undefined ? untilStart(place, line, crew) : Math.max(0, place.dueAt - nowMs);
  return {
    ahead: place.ahead,
    ...(startsInMs !== undefined && { startsInMs: Math.round(startsInMs) }),
    reason: reasonOf(place, line, crew),
    at: new Date(nowMs).toISOString(),
  };
}

function reasonOf(
  { type, ahead, dueAt, isCapped }: Place,
  { paused, active, concurrency, rate }: Line,
  crew: Crew,
): WaitReason {
  if (dueAt !== undefined) return 'delayed';
  if (paused) return 'queue_paused';
  if (!crew.types.has(type)) return 'no_worker';
  if (isCapped) return 'group_cap';
  if (concurrency !== undefined && active >= concurrency && concurrency <= crew.slots) return 'queue_limited';
  if (rate?.startsLeft === 0) return 'queue_limited';
  return ahead === 0 ? 'next' : 'workers_busy';
}

/** Those that find a free slot start at once; the others when as many have ended as stand before them, and one more. */
function untilStart({ type, ahead, isCapped }: Place, line: Line, crew: Crew): number | undefined {
  // How fast the jobs of one group end is not measured.
  if (!crew.types.has(type) || line.paused || isCapped) return undefined;
  const usable = usableSlots(line, crew);
  const behind = ahead - Math.max(0, usable - line.active);
  const byRateMs = untilAllowed(ahead, line);
  if (behind < 0) return byRateMs;
  const perSecond = slotsPerSecond(line, crew);
  if (!perSecond) return undefined;
  return Math.max(byRateMs, ((behind + firstEnd(line, usable)) * 1000) / perSecond);
}

/**
 * When the first of the running jobs ends, counted in jobs: one, where many slots end at random; a single slot is in the
 * middle of its job, or earlier in one of the longer ones the more run times differ.
 */
function firstEnd({ rates: { run } }: Line, slots: number): number {
  if (slots > 1 || !run || run.meanMs === 0) return 1;
  return (1 + (run.deviationMs / run.meanMs) ** 2) / 2;
}

/** How long the queue's limit of starts holds up the job behind `ahead` others. */
function untilAllowed(ahead: number, { rate }: Line): number {
  if (!rate || ahead < rate.startsLeft) return 0;
  return rate.restMs + Math.floor((ahead - rate.startsLeft) / rate.max) * rate.perMs;
}
