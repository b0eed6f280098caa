import { QueueLimitsRequest } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const params = Type.Object({ name: Type.String({ maxLength: 64 }) });

const read = {
  operationId: 'getQueueLimits',
  summary: 'Read the limits of a queue',
  description: 'What is absent has no limit.',
  tags: ['queues'],
  params,
  response: { 200: { description: 'The limits.', ...Type.Ref('QueueLimits') }, ...problems('unknown_queue') },
};

const replace = {
  operationId: 'setQueueLimits',
  summary: 'Set the limits of a queue',
  description:
    'Replaces all limits of the queue in one step: what is null or absent has none afterwards. They count from the next start or submit on; what runs goes on, also where it is more than a limit allows. `groups` has the weights and caps of its groups: `default` for all, `byName` for some.',
  tags: ['queues'],
  params,
  body: QueueLimitsRequest,
  response: {
    200: { description: 'The limits as they are now.', ...Type.Ref('QueueLimits') },
    ...problems('invalid_request', 'unknown_queue'),
  },
};

export function limitQueue(app: App, { catalogue, producer, reader }: Services): void {
  app.get('/v1/queues/:name/limits', { schema: read, config: scoped('read') }, async ({ params: { name } }) => {
    await catalogue.assertQueue(name);
    return reader.limits(name);
  });
  app.put(
    '/v1/queues/:name/limits',
    { schema: replace, config: scoped('control') },
    async ({ params: { name }, body }) => {
      await catalogue.assertQueue(name);
      return producer.setLimits(name, body);
    },
  );
}
