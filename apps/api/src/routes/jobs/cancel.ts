import { CancelRequest, isFinal } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'cancelJob',
  summary: 'Cancel a job',
  description:
    'A job that no worker runs ends at once. One that runs is told to stop, within a second, and is given up where it does not: the answer is 202 then, and how it ends is to be read of the job. `done` is false where it was cancelled already. The jobs that it waits for are cancelled with it; a parent that needs it fails.',
  tags: ['jobs'],
  params: JobParams,
  // Fastify checks `null` where there is no body.
  body: Type.Union([CancelRequest, Type.Null()]),
  response: {
    200: { description: 'The job has ended.', ...Type.Ref('ControlReply') },
    202: { description: 'The job is being cancelled.', ...Type.Ref('ControlReply') },
    ...problems(
      'invalid_request',
      'invalid_json',
      'job_not_found',
      'job_final',
      'body_too_large',
      'unsupported_media_type',
    ),
  },
};

export function cancelJob(app: App, { producer, reader }: Services): void {
  const config = scoped('control', 'command');
  app.post('/v1/jobs/:id/cancel', { schema, config }, async ({ params, body, caller }, reply) => {
    const { done } = await producer.cancel(params.id, caller?.name ?? 'unknown', { reason: body?.reason });
    const job = await reader.job(params.id);
    return reply.code(isFinal(job.state) ? 200 : 202).send({ done, job });
  });
}
