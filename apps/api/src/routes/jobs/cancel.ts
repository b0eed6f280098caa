import { Type } from 'typebox';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'cancelJob',
  summary: 'Cancel a job that waits',
  description:
    'A cancelled job never runs, nor do the jobs that it waits for, which are cancelled with it; a parent that needs it fails. `done` is false where it was cancelled already.',
  tags: ['jobs'],
  params: JobParams,
  response: {
    200: { description: 'The job is cancelled.', ...Type.Ref('ControlReply') },
    ...problems('job_not_found', 'job_active', 'job_final'),
  },
};

export function cancelJob(app: App, { producer, reader }: Services): void {
  app.post('/v1/jobs/:id/cancel', { schema, config: scoped('control', 'command') }, async ({ params, caller }) => {
    const { done } = await producer.cancel(params.id, caller?.name ?? 'unknown');
    return { done, job: await reader.job(params.id) };
  });
}
