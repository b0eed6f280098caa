import { type BatchEntry, BatchRequest, SpillwayError, SubmitRequest } from '@spillway/contracts';
import { compileSchema } from '@spillway/runtime';
import { Type } from 'typebox';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { checkedType, tenantOf } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';

const schema = {
  operationId: 'submitBatch',
  summary: 'Submit many jobs',
  description:
    'Answers 202 once all jobs that can be accepted are stored. A job that cannot is refused by itself, with the reason at its place in `jobs`; the others are kept.',
  tags: ['batches'],
  body: BatchRequest,
  response: {
    202: { description: 'What became of each job.', ...Type.Ref('BatchReply') },
    ...problems('invalid_request', 'invalid_json', 'body_too_large', 'unsupported_media_type'),
  },
};

const check = compileSchema(SubmitRequest);

export function submitBatch(app: App, { producer, catalogue, metrics, tokens }: Services): void {
  app.post('/v1/batches', { schema, config: scoped('submit') }, async (request, reply) => {
    const batch = producer.newBatch();
    const watch = watchGrant(tokens, request, { batches: [batch] });
    const tenant = tenantOf(request.caller);
    const submitOne = async (entry: unknown): Promise<BatchEntry> => {
      const { input, options, ...rest } = readEntry(entry);
      const type = await checkedType(catalogue, { input, ...rest });
      const { id } = await producer.submit({ type, input, options, batch, tenant });
      metrics.countSubmit(type);
      return { id };
    };
    const jobs = await Promise.all(request.body.map((entry) => submitOne(entry).catch(toRefusal)));
    const refused = jobs.filter((job) => 'error' in job).length;
    return reply.code(202).send({ id: batch, accepted: jobs.length - refused, refused, jobs, watch });
  });
}

function readEntry(entry: unknown): SubmitRequest {
  const errors = check(entry);
  if (errors.length === 0) return entry as SubmitRequest;
  throw new SpillwayError('invalid_request', errors.map(({ message }) => message).join('; '), { errors });
}

/** What is wrong with one job is said at its place; what is wrong with Redis fails the whole call. */
function toRefusal(error: unknown): BatchEntry {
  if (!(error instanceof SpillwayError) || error.code === 'unavailable') throw error;
  const { code, message, errors } = error;
  return { error: { code, message, ...(errors && { errors }) } };
}
