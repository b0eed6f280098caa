import { JobListQuery } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const DEFAULT_LIMIT = 20;

const schema = {
  operationId: 'listJobs',
  summary: 'List jobs',
  description:
    'What runs, what waits, what is delayed, then what has ended, newest end first; with `tag`, `batch` or `schedule` newest first. Without input and result. With a filter a page may be short, or empty, and still have a next one.',
  tags: ['jobs'],
  querystring: JobListQuery,
  response: {
    200: { description: 'One page.', ...Type.Ref('JobList') },
    ...problems('invalid_request', 'unknown_queue'),
  },
};

export function listJobs(app: App, { reader, catalogue }: Services): void {
  app.get('/v1/jobs', { schema, config: scoped('read') }, async ({ query }) => {
    if (query.queue) await catalogue.assertQueue(query.queue);
    const { limit = DEFAULT_LIMIT, ...rest } = query;
    return reader.list({ ...rest, limit: Number(limit) }, await catalogue.queues());
  });
}
