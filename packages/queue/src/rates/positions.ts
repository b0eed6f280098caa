import type { Redis } from '@spillway/bullmq';
import { type PlaceInLine, queueOf } from '@spillway/contracts';
import { estimate } from './estimate.ts';
import { createRates, remembered } from './index.ts';
import { readPlaces } from './places.ts';

/** Where a job stood at a position of its queue's event stream. */
export interface Position {
  pos: string;
  position: PlaceInLine;
}

/** Where those of the jobs stand that wait, in line or for their time. */
export type Positions = (ids: readonly string[]) => Promise<Map<string, Position>>;

/** Jobs in one call: about a millisecond, in which Redis serves nobody else. */
const CHUNK = 250;

/** The place is read now; what it is estimated from may be a second old. */
export function createPositions(setup: { redis: Redis; prefix: string; now?: () => number }): Positions {
  const { redis, prefix, now = Date.now } = setup;
  const rates = createRates(setup);
  const known = new Map<string, () => ReturnType<typeof rates.read>>();

  function measured(queue: string): ReturnType<typeof rates.read> {
    const read = known.get(queue) ?? remembered(() => rates.read(queue), now);
    known.set(queue, read);
    return read();
  }

  async function readQueue(queue: string, ids: readonly string[], found: Map<string, Position>): Promise<void> {
    const { line, crew } = await measured(queue);
    for (let from = 0; from < ids.length; from += CHUNK) {
      const chunk = ids.slice(from, from + CHUNK);
      const { pos, nowMs, places } = await readPlaces(redis, prefix, queue, chunk);
      for (const [index, place] of places.entries())
        if (place) found.set(chunk[index] ?? '', { pos, position: estimate(place, line, crew, nowMs) });
    }
  }

  return async (ids) => {
    const found = new Map<string, Position>();
    const queues = new Map<string, string[]>();
    for (const id of ids) {
      const queue = queueOf(id) ?? '';
      const members = queues.get(queue);
      if (members) members.push(id);
      else queues.set(queue, [id]);
    }
    await Promise.all([...queues].map(([queue, members]) => readQueue(queue, members, found)));
    return found;
  };
}
