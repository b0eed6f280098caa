import type { PlaceInLine, WaitReason } from '@spillway/contracts';

/** Why a job waits, where there is more to say than its place. */
const WHY: Partial<Record<WaitReason, string>> = {
  queue_paused: 'the queue is paused',
  no_worker: 'no worker runs its type',
  group_cap: 'its group is at its limit',
  queue_limited: 'the queue is at its limit',
};

/**
 * What to tell somebody who waits: `12th in line, about 40 s`, `next, about 3 s`, `5th in line, the queue is paused`. The
 * estimate counts down with `nowMs`. A delayed job has a time of its own to tell, and no words here.
 */
export function placeText({ ahead, startsInMs, reason, at }: PlaceInLine, nowMs: number): string {
  if (reason === 'delayed') return '';
  const place = ahead === 0 ? 'next' : `${ordinal(ahead + 1)} in line`;
  const why = WHY[reason];
  const leftMs = startsInMs === undefined ? undefined : Math.max(0, startsInMs - (nowMs - Date.parse(at)));
  return [place, ...(why ? [why] : []), ...(leftMs === undefined ? [] : [about(leftMs)])].join(', ');
}

function ordinal(n: number): string {
  const tens = n % 100;
  const ending = tens > 10 && tens < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n.toLocaleString('en')}${ending}`;
}

/** Rounded as coarsely as estimates are good. */
function about(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 2) return 'any moment';
  if (seconds < 15) return `about ${Math.round(seconds)} s`;
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `about ${Math.round(minutes)} min` : `about ${Math.round(minutes / 60)} h`;
}
