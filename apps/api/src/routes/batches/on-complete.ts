import { type BatchQuery, SpillwayError } from '@spillway/contracts';
import { completionInput, type OnComplete } from '@spillway/queue/producer';
import type { Catalogue } from '../../catalogue.ts';
import { checkedType } from '../jobs/submit.ts';

/** As long as the real ones, so that what its type takes of this it takes of them. */
const SAMPLE = {
  batch: 'batch.00000000000000000000000000',
  counts: { total: 1, open: 0, completed: 1, failed: 0, cancelled: 0, removed: 0 },
};

/**
 * What is to follow a batch, checked before its first job is stored.
 * @throws SpillwayError `invalid_request` for both, `unknown_type`, `invalid_input` where the type would not take its input
 */
export async function readOnComplete(
  catalogue: Catalogue,
  { onComplete, webhook }: BatchQuery,
): Promise<OnComplete | undefined> {
  if (onComplete !== undefined && webhook !== undefined)
    throw new SpillwayError('invalid_request', 'expected onComplete or webhook, got both');
  const name = webhook === undefined ? onComplete : 'http.deliver';
  if (name === undefined) return undefined;
  const input = completionInput({ url: webhook }, SAMPLE);
  return { type: await checkedType(catalogue, { type: name, input }), url: webhook };
}
