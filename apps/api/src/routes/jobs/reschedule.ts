import { JobPatch } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped } from '../schema.ts';

const patch = {
  operationId: 'changeJob',
  summary: 'Change a job that waits',
  description:
    'Its priority, and how long it waits from now on. It goes behind those of the same priority, or due at the same time. `done` is false where all was as asked. What a job’s `ttlMs` counts from stays.',
  tags: ['jobs'],
  params: JobParams,
  body: JobPatch,
  response: {
    200: { description: 'The job waits as asked.', ...Type.Ref('ControlReply') },
    ...problems('invalid_request', 'invalid_json', 'job_not_found', 'job_active', 'job_final'),
  },
};

const promote = {
  operationId: 'promoteJob',
  summary: 'Let a delayed job start now',
  description:
    'Also one that waits for its next attempt. It goes to the end of its line. `done` is false where it was due already.',
  tags: ['jobs'],
  params: JobParams,
  response: {
    200: { description: 'The job waits for a worker.', ...Type.Ref('ControlReply') },
    ...problems('job_not_found', 'job_active', 'job_final'),
  },
};

export function rescheduleJob(app: App, { producer, reader }: Services): void {
  app.patch('/v1/jobs/:id', { schema: patch, config: scoped('control') }, async ({ params: { id }, body }) => {
    const { done } = await producer.reschedule(id, body);
    return { done, job: await reader.job(id) };
  });
  app.post('/v1/jobs/:id/promote', { schema: promote, config: scoped('control') }, async ({ params: { id } }) => {
    const { done } = await producer.reschedule(id, { delayMs: 0 });
    return { done, job: await reader.job(id) };
  });
}
