import { createHash, randomFillSync } from 'node:crypto';
import { jobId } from '@spillway/contracts';
import { decodeTime, encodeTime } from 'ulid';

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

/**
 * The id of the job at a place of a batch: always the same, as long as nobody else's, and as hard to guess as the batch's.
 */
export function placedId(queue: string, batch: string, index: number): string {
  const ulid = batch.slice(batch.indexOf('.') + 1);
  return jobId(queue, ulid.slice(0, TIME_LENGTH) + derived(`${batch}\0${index}`));
}

/** The id of the job of a schedule's tick: always the same, and as hard to guess as the secret. */
export function tickId(queue: string, secret: string, tick: number): string {
  return jobId(queue, encodeTime(tick, TIME_LENGTH) + derived(`${secret}\0${tick}`));
}

function derived(seed: string): string {
  const bytes = createHash('sha256').update(seed).digest();
  let random = '';
  for (let at = 0; at < RANDOM_LENGTH; at += 1) random += ALPHABET[(bytes[at] ?? 0) & 31];
  return random;
}

/** When the id was made, in milliseconds since the epoch. */
export function timeOf(id: string): number {
  return decodeTime(id.slice(id.indexOf('.') + 1));
}
