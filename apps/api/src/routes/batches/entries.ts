import { type BatchEntry, BatchLine, type JobType, SpillwayError } from '@spillway/contracts';
import type { BatchClaim, BatchWriter } from '@spillway/queue/producer';
import { compileSchema } from '@spillway/runtime';
import type { Services } from '../../services.ts';
import { checkedType, isNew } from '../jobs/submit.ts';

/** What of a submit concerns every job of a batch. */
export interface BatchContext {
  services: Pick<Services, 'producer' | 'catalogue' | 'metrics'>;
  writer: BatchWriter;
  tenant: string | undefined;
  /** The claim to a place of the batch, where its caller gave a key. */
  place?: BatchClaim['place'] | undefined;
}

type Checked = { line: BatchLine; type: JobType } | Extract<BatchEntry, { error: unknown }>;

const check = compileSchema(BatchLine);

/**
 * Stores those of the jobs that can be accepted, together, and says of each what became of it. `read` gives the job at a
 * place, or throws what is wrong with it. @throws SpillwayError `unavailable`: then it is not known what was stored
 */
export async function storeEntries(
  context: BatchContext,
  count: number,
  read: (index: number) => unknown,
): Promise<BatchEntry[]> {
  const { catalogue } = context.services;
  const checkOne = async (index: number): Promise<Checked> => {
    const line = readEntry(read(index));
    return { line, type: await checkedType(catalogue, { type: line.type, input: line.input }) };
  };
  const places = Array.from({ length: count }, (_, index) => index);
  const checked = await Promise.all(places.map((index) => checkOne(index).catch(toRefusal)));
  await context.writer.reach(checked.flatMap((one) => ('type' in one ? [one.type.queue] : [])));
  return Promise.all(
    checked.map((one, index) => ('error' in one ? one : storeOne(context, one, index).catch(toRefusal))),
  );
}

async function storeOne(
  { services: { producer, metrics }, writer, tenant, place }: BatchContext,
  { line: { input, options, idempotencyKey }, type }: { line: BatchLine; type: JobType },
  index: number,
): Promise<BatchEntry> {
  const claim = place?.(index, type.queue);
  const submitted = await producer.submit({ type, input, options, tenant, idempotencyKey, batch: writer.id, claim });
  if (isNew(submitted)) metrics.countSubmit(type);
  const { id, replayed, deduplicated } = submitted;
  return { id, ...(replayed && { replayed }), ...(deduplicated && { deduplicated }) };
}

function readEntry(entry: unknown): BatchLine {
  const errors = check(entry);
  if (errors.length === 0) return entry as BatchLine;
  throw new SpillwayError('invalid_request', errors.map(({ message }) => message).join('; '), { errors });
}

/** What is wrong with one job is said at its place; what is wrong with Redis fails the whole call. */
function toRefusal(error: unknown): Extract<BatchEntry, { error: unknown }> {
  if (!(error instanceof SpillwayError) || error.code === 'unavailable') throw error;
  const { code, message, errors, retryAfterS } = error;
  return {
    error: { code, message, ...(errors && { errors }), ...(retryAfterS !== undefined && { retryAfterS }) },
  };
}
