import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { readQueueInfo } from '../../queue-info.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const params = Type.Object({ name: Type.String({ maxLength: 64 }) });
const reply = Type.Object({ done: Type.Boolean(), queue: Type.Ref('QueueInfo') });

const pause = {
  operationId: 'pauseQueue',
  summary: 'Pause a queue',
  description: 'Nothing new is started; what runs goes on. `done` is false where it was paused already.',
  tags: ['queues'],
  params,
  response: { 200: { description: 'The queue is paused.', ...reply }, ...problems('unknown_queue') },
};

const resume = {
  operationId: 'resumeQueue',
  summary: 'Resume a queue',
  description: '`done` is false where it was not paused.',
  tags: ['queues'],
  params,
  response: { 200: { description: 'The queue is worked off.', ...reply }, ...problems('unknown_queue') },
};

export function controlQueue(app: App, services: Services): void {
  const { catalogue, producer } = services;
  app.post('/v1/queues/:name/pause', { schema: pause, config: scoped('control') }, async ({ params: { name } }) => {
    await catalogue.assertQueue(name);
    const { done } = await producer.pause(name);
    return { done, queue: await readQueueInfo(name, services) };
  });
  app.post('/v1/queues/:name/resume', { schema: resume, config: scoped('control') }, async ({ params: { name } }) => {
    await catalogue.assertQueue(name);
    const { done } = await producer.resume(name);
    return { done, queue: await readQueueInfo(name, services) };
  });
}
