import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { readQueueInfo } from '../../queue-info.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const all = {
  operationId: 'listQueues',
  summary: 'List queues',
  tags: ['queues'],
  response: {
    200: { description: 'All queues.', ...Type.Object({ queues: Type.Array(Type.Ref('QueueInfo')) }) },
    ...problems(),
  },
};

const one = {
  operationId: 'getQueue',
  summary: 'Read a queue',
  tags: ['queues'],
  params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
  response: { 200: { description: 'The queue.', ...Type.Ref('QueueInfo') }, ...problems('unknown_queue') },
};

export function listQueues(app: App, services: Services): void {
  const { catalogue, reader } = services;
  app.get('/v1/queues', { schema: all, config: scoped('read') }, async () => {
    const names = await catalogue.queues();
    return { queues: await Promise.all(names.map((name) => readQueueInfo(name, services))) };
  });
  app.get('/v1/queues/:name', { schema: one, config: scoped('read') }, async ({ params }) => {
    await catalogue.assertQueue(params.name);
    const [info, groups] = await Promise.all([readQueueInfo(params.name, services), reader.groups(params.name)]);
    return { ...info, ...(groups && { groups }) };
  });
}
