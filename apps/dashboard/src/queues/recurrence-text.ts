import type { Schedule } from '@spillway/client';
import { formatDuration } from '../format.ts';

/** When a schedule submits, in words: `0 9 * * 1-5 Europe/Berlin`, `every 5 m 0 s`. Pure. */
export function recurrenceText({ cron, timezone = 'UTC', everyMs = 0 }: Schedule): string {
  return cron === undefined ? `every ${formatDuration(everyMs)}` : `${cron} ${timezone}`;
}

/** How a schedule stands at its next tick, in words. Pure. */
export function nextText({ paused, next: [tick] }: Schedule, nowMs: number): string {
  if (paused) return 'paused';
  return tick === undefined ? 'ended' : `in ${formatDuration(Date.parse(tick) - nowMs)}`;
}
