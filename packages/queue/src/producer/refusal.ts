import { SpillwayError } from '@spillway/contracts';

/** Why a queue does not take a job, as the script says it. */
export interface Refusal {
  limit: 'depth' | 'oldestWaitMs' | 'tenants.depth' | 'tenants.oldestWaitMs' | 'groups.depth' | 'groups.oldestWaitMs';
  max: number;
  found: number;
  /** Jobs that wait in the queue. */
  depth: number;
}

/** Where nothing was measured yet, or nobody takes jobs: not so long that a worker that starts meanwhile finds nothing to do. */
const UNKNOWN_S = 5;
/** The longest time that anybody is told to stay away. */
const RETRY_AFTER_MAX_S = 3600;

export function readRefusal([limit, max, found, depth]: readonly unknown[]): Refusal {
  return { limit: limit as Refusal['limit'], max: Number(max), found: Number(found), depth: Number(depth) };
}

/** Jobs that have to leave the line before this limit has room. Of a tenant or group, others leave it beside its own. Pure. */
export function excessOf({ limit, max, found, depth }: Refusal): number {
  if (limit.endsWith('oldestWaitMs')) return Math.ceil((depth * (found - max)) / Math.max(found, 1));
  const excess = Math.max(1, found - max + 1);
  return limit === 'depth' ? excess : Math.ceil((excess * Math.max(depth, found)) / Math.max(found, 1));
}

/**
 * Tells those who are refused when to come again. Each takes a place behind those that this process has told before, because
 * room for one is not room for all of them; nobody is sent further back than a whole line takes to drain.
 */
export class Waiters {
  /** Up to when the room that will come free is given away. */
  #givenUntil = 0;

  /** Seconds, at least 1. `drainPerSecond` is what the queue gets through; undefined where that is not known. */
  afterS(refusal: Refusal, drainPerSecond: number | undefined, nowMs: number): number {
    if (!drainPerSecond) return UNKNOWN_S;
    const roomAt = nowMs + (excessOf(refusal) / drainPerSecond) * 1000;
    const latest = roomAt + (refusal.depth / drainPerSecond) * 1000;
    const at = Math.min(Math.max(roomAt, this.#givenUntil + 1000 / drainPerSecond), latest);
    this.#givenUntil = at;
    return Math.min(RETRY_AFTER_MAX_S, Math.max(1, Math.ceil((at - nowMs) / 1000)));
  }
}

export function queueFull(queue: string, refusal: Refusal, retryAfterS: number): SpillwayError {
  return new SpillwayError('queue_full', `${reasonOf(queue, refusal)}; try again in ${retryAfterS} s`, { retryAfterS });
}

function reasonOf(queue: string, { limit, max, found, depth }: Refusal): string {
  switch (limit) {
    case 'depth':
      return `expected room below ${max} waiting jobs in queue ${queue}, got ${found} that wait`;
    case 'oldestWaitMs':
      return `expected queue ${queue} to start jobs within ${max} ms, got one that has waited ${found} ms, among ${depth}`;
    case 'tenants.depth':
      return `expected room below ${max} waiting jobs of one tenant in queue ${queue}, got ${found} that wait`;
    case 'tenants.oldestWaitMs':
      return `expected queue ${queue} to start a tenant's jobs within ${max} ms, got one that has waited ${found} ms`;
    case 'groups.depth':
      return `expected room below ${max} waiting jobs of one group in queue ${queue}, got ${found} that wait`;
    case 'groups.oldestWaitMs':
      return `expected queue ${queue} to start a group's jobs within ${max} ms, got one that has waited ${found} ms`;
  }
}
