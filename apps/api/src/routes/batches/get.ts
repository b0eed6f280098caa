import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { BatchParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'getBatch',
  summary: 'Read a batch',
  description:
    'How its jobs stand. `total` is the sum of `open`, `completed`, `failed`, `cancelled` and `removed`. A token that names the batch may read it.',
  tags: ['batches'],
  params: BatchParams,
  response: {
    200: { description: 'The batch.', ...Type.Ref('Batch') },
    ...problems('batch_not_found'),
  },
};

export function getBatch(app: App, { producer }: Services): void {
  app.get('/v1/batches/:id', { schema, config: scoped('read', 'batch') }, ({ params }) =>
    producer.batches.get(params.id),
  );
}
