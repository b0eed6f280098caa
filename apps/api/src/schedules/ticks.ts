import { CATCH_UP_MAX, type ScheduleRequest } from '@spillway/contracts';
import type { NextMoment } from './cron.ts';

/**
 * A tick that is found no later than this is on time: another process takes over from one that died within four seconds, and
 * may have some schedules to see to first.
 */
const ON_TIME_MS = 10_000;
/** The first stretch of the past that is searched for ticks, and by what it grows until there are enough. */
const STRETCH_MS = 300_000;
const GROWTH = 12;

export interface DueTicks {
  /** Oldest first. */
  fire: number[];
  next: number | undefined;
}

/**
 * What a schedule that has come due does: which ticks it fires and when it is due next. Pure.
 * @param left how many more ticks it may have
 */
export function dueTicks(
  next: NextMoment,
  { due, now, left, catchUp = 'last' }: { due: number; now: number; left: number } & Pick<ScheduleRequest, 'catchUp'>,
): DueTicks {
  const latest = latestTicks(next, { due, now, most: Math.min(left, catchUp === 'all' ? CATCH_UP_MAX : 1) });
  const isOnTime = (latest.at(-1) ?? 0) >= now - ON_TIME_MS;
  const fire = catchUp === 'none' && !isOnTime ? [] : latest;
  return { fire, next: fire.length < left ? next(now) : undefined };
}

/** The next ticks, `due` first. */
export function comingTicks(next: NextMoment, due: number | undefined, most: number): number[] {
  const ticks: number[] = [];
  for (let tick = due; tick !== undefined && ticks.length < most; tick = next(tick)) ticks.push(tick);
  return ticks;
}

/** The last ticks from `due` to `now`. Found from the end, because of an outage of a year there may be millions of them. */
function latestTicks(next: NextMoment, { due, now, most }: { due: number; now: number; most: number }): number[] {
  for (let stretchMs = STRETCH_MS; ; stretchMs *= GROWTH) {
    const from = Math.max(due - 1, now - stretchMs);
    const ticks: number[] = [];
    for (let tick = next(from); tick !== undefined && tick <= now; tick = next(tick)) ticks.push(tick);
    if (ticks.length >= most || from === due - 1) return ticks.slice(-most);
  }
}
