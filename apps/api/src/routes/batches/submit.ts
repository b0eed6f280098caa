import { type BatchEntry, BatchLine, BatchRequest, IdempotencyKey, SpillwayError } from '@spillway/contracts';
import type { BatchClaim, Producer } from '@spillway/queue/producer';
import { compileSchema } from '@spillway/runtime';
import { Type } from 'typebox';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { checkedType, isNew, REPLAYED, tenantOf } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';

const schema = {
  operationId: 'submitBatch',
  summary: 'Submit many jobs',
  description:
    'Answers 202 once all jobs that can be accepted are stored. A job that cannot is refused by itself, with the reason at its place in `jobs`; the others are kept. The same body under the same `Idempotency-Key` answers 200 with the same batch and `Idempotent-Replayed: true`; where the first call was broken off, it stores what is missing.',
  tags: ['batches'],
  headers: Type.Object({ 'idempotency-key': Type.Optional(IdempotencyKey) }),
  body: BatchRequest,
  response: {
    200: { description: 'The idempotency key was used before.', headers: REPLAYED, ...Type.Ref('BatchReply') },
    202: { description: 'What became of each job.', ...Type.Ref('BatchReply') },
    ...problems(
      'invalid_request',
      'idempotency_key_reused',
      'invalid_json',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

const check = compileSchema(BatchLine);

export function submitBatch(app: App, { producer, catalogue, metrics, tokens }: Services): void {
  app.post('/v1/batches', { schema, config: scoped('submit') }, async (request, reply) => {
    tokens.assertReady();
    const tenant = tenantOf(request.caller);
    const batch = await openBatch(producer, request, tenant);
    const submitOne = async (entry: unknown, index: number): Promise<BatchEntry> => {
      const { options, idempotencyKey, ...rest } = readEntry(entry);
      const type = await checkedType(catalogue, rest);
      const place = { batch: batch.id, claim: batch.place?.(index, type.queue) };
      const submission = { type, input: rest.input, options, tenant, idempotencyKey, ...place };
      const submitted = await producer.submit(submission);
      if (isNew(submitted)) metrics.countSubmit(type);
      const { id, replayed, deduplicated } = submitted;
      return { id, ...(replayed && { replayed }), ...(deduplicated && { deduplicated }) };
    };
    const submitAll = async () => {
      const entries = await Promise.all(request.body.map((entry, n) => submitOne(entry, n).catch(toRefusal)));
      // What the queue had no room for is stored when the batch is sent again.
      return batch.settle && !entries.some(hadNoRoom) ? batch.settle(entries) : entries;
    };
    const jobs = batch.entries ?? (await submitAll());
    const refused = jobs.filter((job) => 'error' in job).length;
    if (batch.replayed) reply.header('idempotent-replayed', 'true');
    const watch = watchGrant(tokens, request, { batches: [batch.id] });
    return reply
      .code(batch.replayed ? 200 : 202)
      .send({ id: batch.id, accepted: jobs.length - refused, refused, jobs, watch });
  });
}

/** The batch of the call's key, or one that nobody else can find. */
async function openBatch(
  producer: Producer,
  { headers: { 'idempotency-key': key }, body }: { headers: { 'idempotency-key'?: string }; body: unknown },
  tenant: string | undefined,
): Promise<Pick<BatchClaim, 'id'> & Partial<BatchClaim>> {
  return key === undefined ? { id: producer.newBatch() } : producer.claimBatch({ key, tenant }, body);
}

function hadNoRoom(entry: BatchEntry): boolean {
  return 'error' in entry && entry.error.code === 'queue_full';
}

function readEntry(entry: unknown): BatchLine {
  const errors = check(entry);
  if (errors.length === 0) return entry as BatchLine;
  throw new SpillwayError('invalid_request', errors.map(({ message }) => message).join('; '), { errors });
}

/** What is wrong with one job is said at its place; what is wrong with Redis fails the whole call. */
function toRefusal(error: unknown): BatchEntry {
  if (!(error instanceof SpillwayError) || error.code === 'unavailable') throw error;
  const { code, message, errors, retryAfterS } = error;
  return {
    error: { code, message, ...(errors && { errors }), ...(retryAfterS !== undefined && { retryAfterS }) },
  };
}
