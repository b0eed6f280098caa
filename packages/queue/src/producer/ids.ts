import { randomFillSync } from 'node:crypto';
import { jobId } from '@spillway/contracts';
import { encodeTime } from 'ulid';

/** Crockford's base 32, as ULIDs use it: no letter that is taken for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;
/** Random bytes are drawn in bulk: one at a time they cost more than the rest of an id. A multiple of what one id takes. */
const POOL_BYTES = RANDOM_LENGTH * 256;

/**
 * Makes job ids: a ULID is the time and 80 random bits, which make it unique across processes and impossible to guess
 * from another one.
 */
export function createIds(): (queue: string, timestamp: number) => string {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  let time = { of: -1, text: '' };
  return (queue, timestamp) => {
    // Under load, many ids share their millisecond.
    if (time.of !== timestamp) time = { of: timestamp, text: encodeTime(timestamp, TIME_LENGTH) };
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    let random = '';
    for (const end = used + RANDOM_LENGTH; used < end; used += 1) random += ALPHABET[(pool[used] ?? 0) & 31];
    return jobId(queue, time.text + random);
  };
}
