import type { Redis } from '@spillway/bullmq';

/** A member of a sorted set of jobs, by a time: of their end, or of their submission. */
export interface Entry {
  at: number;
  id: string;
}

/** Behind this member, and up to those with the score `until`. */
export interface Behind extends Entry {
  until: number;
}

/** Entries of one reading: what is done to so many jobs takes Redis about two milliseconds, in which it serves nobody else. */
export const BEHIND_MAX = 100;

/** The next members behind a place, lowest score first. Those with the same one stand in the order of their ids. */
export async function readBehind(redis: Redis, key: string, { at, id, until }: Behind): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let offset = 0; entries.length < BEHIND_MAX; offset += BEHIND_MAX) {
    const flat = await redis.zrangebyscore(key, at, until, 'WITHSCORES', 'LIMIT', offset, BEHIND_MAX);
    for (let index = 0; index < flat.length; index += 2) {
      const entry = { id: flat[index] ?? '', at: Number(flat[index + 1]) };
      if (entry.at > at || entry.id > id) entries.push(entry);
    }
    if (flat.length < BEHIND_MAX * 2) break;
  }
  return entries.slice(0, BEHIND_MAX);
}
