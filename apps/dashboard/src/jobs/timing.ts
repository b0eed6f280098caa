import type { Job } from '@spillway/client';
import { formatDuration } from '../format.ts';

/** What there is to say about a job's time: when it starts, how long it runs, how long it took. */
export function timingOf({ state, runAt, startedAt, finishedAt }: Job, nowMs: number): string {
  if (state === 'delayed' && runAt) return `starts in ${formatDuration(Date.parse(runAt) - nowMs)}`;
  if (!startedAt) return '';
  if (finishedAt) return `took ${formatDuration(Date.parse(finishedAt) - Date.parse(startedAt))}`;
  return state === 'active' ? formatDuration(nowMs - Date.parse(startedAt)) : '';
}
