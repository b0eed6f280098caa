import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, RangeQuery, scoped } from '../schema.ts';

const MOST = 1000;

const schema = {
  operationId: 'getLog',
  summary: "Read a job's log lines",
  description:
    'Numbered from 0. `first` above `after` means that older ones are no longer kept; pass `next` as `after` for what follows.',
  tags: ['jobs'],
  params: JobParams,
  querystring: RangeQuery,
  response: {
    200: { description: 'One page.', ...Type.Ref('LogPage') },
    ...problems('invalid_request', 'job_not_found'),
  },
};

export function getLog(app: App, { reader }: Services): void {
  app.get('/v1/jobs/:id/log', { schema, config: scoped('read', 'watch') }, ({ params, query }) =>
    reader.log(params.id, Number(query.after ?? 0), Number(query.limit ?? MOST)),
  );
}
