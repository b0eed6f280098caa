import { BatchPageQuery } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { BatchParams, problems, scoped } from '../schema.ts';

const DEFAULT_LIMIT = 20;

const schema = {
  operationId: 'listBatchFailures',
  summary: 'List the failed jobs of a batch',
  description: 'Newest end first, without input. Those that were cancelled are not among them.',
  tags: ['batches'],
  params: BatchParams,
  querystring: BatchPageQuery,
  response: {
    200: { description: 'One page.', ...Type.Ref('JobList') },
    ...problems('invalid_request', 'batch_not_found'),
  },
};

export function listFailures(app: App, { reader }: Services): void {
  app.get('/v1/batches/:id/failures', { schema, config: scoped('read', 'batch') }, ({ params, query }) => {
    const { limit = DEFAULT_LIMIT, cursor } = query;
    return reader.failures(params.id, { limit: Number(limit), cursor });
  });
}
