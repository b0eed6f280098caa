import { CancelRequest } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { BatchParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'cancelBatch',
  summary: 'Cancel the jobs of a batch',
  description:
    'All that have not ended. Those that no worker runs end at once; those that run are told to stop. Jobs of a stream that is still arriving may come after it: end the stream first.',
  tags: ['batches'],
  params: BatchParams,
  // Fastify checks `null` where there is no body.
  body: Type.Union([CancelRequest, Type.Null()]),
  response: {
    200: { description: 'What was done.', ...Type.Ref('BatchCancelReply') },
    ...problems('invalid_request', 'invalid_json', 'batch_not_found', 'body_too_large', 'unsupported_media_type'),
  },
};

export function cancelBatch(app: App, { producer }: Services): void {
  app.post('/v1/batches/:id/cancel', { schema, config: scoped('control') }, ({ params, body, caller }) =>
    producer.batches.cancel(params.id, caller?.name ?? 'unknown', body?.reason),
  );
}
