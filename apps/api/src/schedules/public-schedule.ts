import type { Schedule } from '@spillway/contracts';
import type { StoredSchedule } from '@spillway/queue/schedules';
import { readRecurrence } from './recurrence.ts';
import { comingTicks } from './ticks.ts';

const NEXT_SHOWN = 5;

/** A schedule as the world sees it. */
export function toSchedule(stored: StoredSchedule): Schedule {
  const { definition, due, ticks, changedAt } = stored;
  const most = Math.min(NEXT_SHOWN, (definition.limit ?? NEXT_SHOWN + ticks) - ticks);
  return { ...shown(stored), next: comingTicks(readRecurrence(definition, changedAt), due, most).map(isoTime) };
}

/** The same in a list: without the input, which may be large, and with the next tick alone, which needs no calendar. */
export function toListed(stored: StoredSchedule): Schedule {
  const { input: _large, ...rest } = shown(stored);
  return { ...rest, next: stored.due === undefined ? [] : [isoTime(stored.due)] };
}

function shown({ name, definition, tenant, paused, ticks, last, createdAt, changedAt }: StoredSchedule) {
  return {
    name,
    ...definition,
    ...(tenant !== undefined && { tenant }),
    paused,
    ticks,
    ...(last && { last }),
    createdAt: isoTime(createdAt),
    changedAt: isoTime(changedAt),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
