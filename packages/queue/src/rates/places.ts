import type { Redis } from '@spillway/bullmq';
import { queueKeys } from '../engine/keys.ts';
import { placesScript } from './line-script.ts';

/** Where a job waits: in the line behind `ahead` others, or for its time, with `ahead` others due before it. */
export interface Place {
  type: string;
  ahead: number;
  /** Milliseconds since the epoch; of a delayed job. */
  dueAt?: number;
  /** Its group may start none at the moment. */
  isCapped?: true;
}

type Reply = [pos: string, nowMs: number, places: ([place: string, ahead: number, type: string] | null)[]];

/** Where jobs of one queue stand at one position of its event stream, in their order; undefined where one does not wait. */
export async function readPlaces(
  redis: Redis,
  prefix: string,
  queue: string,
  ids: readonly string[],
): Promise<{ pos: string; nowMs: number; places: (Place | undefined)[] }> {
  const { base, wait, prioritized, delayed, blocked, events } = queueKeys(prefix, queue);
  const reply = await placesScript(redis, [wait, prioritized, delayed, blocked, events], [base, ...ids]);
  const [pos, nowMs, places] = reply as Reply;
  return { pos, nowMs, places: places.map((found) => (found ? toPlace(found) : undefined)) };
}

/** The engine scores a delayed job by its due time in milliseconds times 4096, plus a counter. */
function toPlace([place, ahead, type]: [string, number, string]): Place {
  if (place === 'waiting') return { type, ahead };
  if (place === 'capped') return { type, ahead, isCapped: true };
  return { type, ahead, dueAt: Math.floor(Number(place) / 4096) };
}
