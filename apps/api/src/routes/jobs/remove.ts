import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'removeJob',
  summary: 'Forget a job',
  description:
    'Takes a job that no worker runs out of its line and out of the records, with its log and output. A job that waits for its children, or that its parent waits for, is to be cancelled first.',
  tags: ['jobs'],
  params: JobParams,
  response: {
    204: { description: 'The job is gone.', type: 'null' },
    ...problems('job_not_found', 'job_active', 'not_finished'),
  },
};

export function removeJob(app: App, { producer }: Services): void {
  app.delete('/v1/jobs/:id', { schema, config: scoped('control') }, async ({ params }, reply) => {
    await producer.remove(params.id);
    return reply.code(204).send();
  });
}
