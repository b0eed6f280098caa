import type { BatchRetryRequest, RetryFailedReply } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { BEHIND_MAX, readBehind } from '../engine/read-behind.ts';
import { decode, encode, type Place, type RetrySetup, retryMany } from './retry.ts';

const LIMIT_DEFAULT = 1000;

/**
 * Retries failed jobs of a batch, one of its queues after the other, oldest end first. Jobs that ended after the first call
 * are left alone, so those that fail again are not met twice; those that are no longer kept are passed over.
 */
export async function retryBatch(
  setup: RetrySetup,
  { batch, queues }: { batch: string; queues: readonly string[] },
  { limit = LIMIT_DEFAULT, cursor }: BatchRetryRequest,
): Promise<RetryFailedReply> {
  let place: Place = cursor ? decode(cursor) : { at: 0, id: '', until: setup.now() };
  const first = place.queue ?? '';
  let room = limit;
  let retried = 0;
  for (const queue of queues.filter((name) => name >= first)) {
    place = queue === place.queue ? place : { at: 0, id: '', until: place.until, queue };
    for (;;) {
      if (room === 0) return { retried, more: true, cursor: encode(place) };
      const behind = await readBehind(setup.redis, queueKeys(setup.prefix, queue).batch(batch).failed, place);
      const entries = behind.slice(0, room);
      const ids = entries.map(({ id }) => id);
      retried += await retryMany(setup, queue, ids);
      room -= entries.length;
      place = { ...place, ...entries.at(-1) };
      if (behind.length < BEHIND_MAX && entries.length === behind.length) break;
    }
  }
  return { retried, more: false };
}
