import { BatchRetryRequest } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { BatchParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'retryBatchFailures',
  summary: 'Run the failed jobs of a batch again',
  description:
    'Oldest end first, a thousand a call: while `more` is true, ask again with the `cursor` of the reply. Jobs that fail again meanwhile are not met twice. Cancelled jobs stay as they are.',
  tags: ['batches'],
  params: BatchParams,
  // Fastify checks `null` where there is no body.
  body: Type.Union([BatchRetryRequest, Type.Null()]),
  response: {
    200: { description: 'What was done.', ...Type.Ref('RetryFailedReply') },
    ...problems('invalid_request', 'invalid_json', 'batch_not_found', 'body_too_large', 'unsupported_media_type'),
  },
};

export function retryBatchFailures(app: App, { producer }: Services): void {
  app.post('/v1/batches/:id/retry-failed', { schema, config: scoped('control') }, ({ params, body }) =>
    producer.batches.retryFailed(params.id, body ?? {}),
  );
}
