import { randomFillSync } from 'node:crypto';
import { jobId } from '@spillway/contracts';
import { ulid } from 'ulid';

/** Random bytes are drawn in bulk: one at a time, as the library does by itself, they cost more than the rest of an id. */
const POOL_BYTES = 4096;

/** Makes job ids: the time, and 80 random bits that make them unique across processes and impossible to guess from one another. */
export function createIds(): (queue: string, timestamp: number) => string {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  const random = () => {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const byte = pool[used] ?? 0;
    used += 1;
    return byte / 256;
  };
  return (queue, timestamp) => jobId(queue, ulid(timestamp, random));
}
