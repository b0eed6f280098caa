import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'retryJob',
  summary: 'Run a failed or cancelled job again',
  description:
    'It gets all its attempts again, and so do the children that failed it. `done` is false where it waits or runs already.',
  tags: ['jobs'],
  params: JobParams,
  response: {
    200: { description: 'The job waits or runs.', ...Type.Ref('ControlReply') },
    ...problems('job_not_found', 'job_active', 'job_final'),
  },
};

export function retryJob(app: App, { producer, reader }: Services): void {
  app.post('/v1/jobs/:id/retry', { schema, config: scoped('control') }, async ({ params }) => {
    const { done } = await producer.retry(params.id);
    return { done, job: await reader.job(params.id) };
  });
}
