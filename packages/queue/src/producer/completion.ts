import type { BatchCounts } from '@spillway/contracts';
import type { BatchPlace, Complete, OnComplete } from '../engine/batches.ts';
import { conclude } from '../engine/batches.ts';
import { LABEL_TTL_S } from '../engine/limits.ts';
import { createIds } from './ids.ts';
import type { Producer } from './index.ts';

/** Does what is left to do for a batch, see `conclude`. */
export type Conclude = (batch: string) => Promise<void>;

export function createConclude(setup: BatchPlace & { submit: Producer['submit']; now?: () => number }): Conclude {
  const { redis, prefix, submit, now = Date.now } = setup;
  const newId = createIds();
  // The mark of the claim outlives the job: a batch that is retried and ends again has had its completion.
  const complete: Complete = (onComplete, { job, counts, batch, tenant }) =>
    submit({
      type: onComplete.type,
      input: completionInput(onComplete, { batch, counts }),
      tenant,
      claim: { id: job, digest: batch, keptS: LABEL_TTL_S, replayed: false },
    });
  const place = { redis, prefix, complete, newJob: (queue: string) => newId(queue, now()), now };
  return (batch) => conclude(place, batch);
}

/** What the job that follows a batch is given. Pure. */
export function completionInput(
  { url }: Pick<OnComplete, 'url'>,
  told: { batch: string; counts: BatchCounts },
): object {
  return url === undefined ? told : { url, method: 'POST', body: told };
}
