import { randomUUID } from 'node:crypto';
import { SpillwayError, type TickOutcome } from '@spillway/contracts';
import type { Schedules, StoredSchedule } from '@spillway/queue/schedules';
import { readRecurrence } from './recurrence.ts';
import { dueTicks } from './ticks.ts';

export interface Ticker {
  /** Ends after the round that is under way, and lets another process take over. Closing twice is harmless. */
  close(): Promise<void>;
}

/** A schedule that another process was given is seen within this time; so is one whose process has died, after its lease. */
const LOOK_EVERY_MS = 1000;

/**
 * Fires schedules for as long as it is not closed. Every api has one; the one that was first works, and the others look
 * once a second whether it still does. Correctness does not hang on that: two that work at the same time make one job.
 *
 * A tick is fired in two steps, because a schedule and a queue are in different slots: the schedule moves on and keeps the
 * tick as pending, then the job is stored under an id that follows from the tick. Whoever finds pending ticks stores their
 * jobs again, which makes none that is there.
 */
export function startTicker(setup: {
  schedules: Pick<Schedules, 'look' | 'advance' | 'settle' | 'release'>;
  fire: (schedule: StoredSchedule, tick: number) => Promise<TickOutcome>;
  onError: (error: Error) => void;
}): Ticker {
  const { schedules, fire, onError } = setup;
  const holder = `${process.pid}-${randomUUID()}`;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let round: Promise<void> = Promise.resolve();

  function lookIn(ms: number): void {
    if (isClosed) return;
    timer = setTimeout(() => {
      round = runRound().then(lookIn);
    }, ms);
  }

  /** Resolves with when to look again. */
  async function runRound(): Promise<number> {
    try {
      const found = await schedules.look(holder);
      if (!found) return LOOK_EVERY_MS;
      await Promise.all(found.schedules.map((schedule) => see(schedule, found.now)));
      if (found.more) return 0;
      return Math.min(LOOK_EVERY_MS, (found.nextAt ?? Number.POSITIVE_INFINITY) - found.now);
    } catch (error) {
      // A Redis that is away is reported by its connection, and what was begun is finished once it is back.
      if (!(error instanceof SpillwayError && error.code === 'unavailable')) onError(error as Error);
      return LOOK_EVERY_MS;
    }
  }

  async function see(schedule: StoredSchedule, now: number): Promise<void> {
    const pending = schedule.pending.length > 0 ? schedule.pending : await advance(schedule, now);
    let last: TickOutcome | undefined;
    // In their order, so that a tick meets the job of the one before.
    for (const tick of pending) last = await fire(schedule, tick);
    if (last) await schedules.settle(schedule, pending, last);
  }

  /** Moves the schedule on. The ticks that are to be fired by this process now. */
  async function advance(schedule: StoredSchedule, now: number): Promise<readonly number[]> {
    const { definition, changedAt, due, ticks } = schedule;
    if (due === undefined) return [];
    const left = (definition.limit ?? Number.POSITIVE_INFINITY) - ticks;
    const moment = readRecurrence(definition, changedAt);
    const { fire: fired, next } = dueTicks(moment, { due, now, left, catchUp: definition.catchUp });
    return (await schedules.advance(schedule, fired, next)) ? fired : [];
  }

  lookIn(0);
  return {
    async close() {
      if (isClosed) return round;
      isClosed = true;
      clearTimeout(timer);
      await round;
      // Where this fails another process waits for the lease to run out.
      await schedules.release(holder).catch(() => undefined);
    },
  };
}
