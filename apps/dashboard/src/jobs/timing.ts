import { type Job, placeText } from '@spillway/client';
import { formatDuration } from '../format.ts';

/** What there is to say about a job's time: where it waits, when it starts, how long it runs, how long it took. */
export function timingOf({ state, runAt, startedAt, finishedAt, position }: Job, nowMs: number): string {
  if (state === 'waiting' && position) return placeText(position, nowMs);
  if (state === 'delayed' && runAt) return `starts in ${formatDuration(Date.parse(runAt) - nowMs)}`;
  if (!startedAt) return '';
  if (finishedAt) return `took ${formatDuration(Date.parse(finishedAt) - Date.parse(startedAt))}`;
  return state === 'active' ? formatDuration(nowMs - Date.parse(startedAt)) : '';
}
