import { CleanRequest, DrainRequest } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const params = Type.Object({ name: Type.String({ maxLength: 64 }) });

const drain = {
  operationId: 'drainQueue',
  summary: 'Cancel what waits in a queue',
  description:
    'The jobs that wait, and with `delayed` those that wait for their time, end as cancelled, with who and why; what runs goes on, and so does what waits for its children. A call ends up to `limit`: while `more` is true, ask again. What comes meanwhile is taken too.',
  tags: ['queues'],
  params,
  // Fastify checks `null` where there is no body.
  body: Type.Union([DrainRequest, Type.Null()]),
  response: {
    200: { description: 'What was done.', ...Type.Ref('DrainReply') },
    ...problems('invalid_request', 'invalid_json', 'unknown_queue'),
  },
};

const clean = {
  operationId: 'cleanQueue',
  summary: 'Forget jobs of a queue that have ended',
  description:
    'Oldest end first, with their logs, outputs and steps. A call forgets up to `limit` and looks at up to ten thousand: while `more` is true, ask again with the `cursor` of the reply.',
  tags: ['queues'],
  params,
  body: CleanRequest,
  response: {
    200: { description: 'What was done.', ...Type.Ref('CleanReply') },
    ...problems('invalid_request', 'invalid_json', 'unknown_queue'),
  },
};

export function clearQueue(app: App, { catalogue, producer }: Services): void {
  app.post(
    '/v1/queues/:name/drain',
    { schema: drain, config: scoped('control') },
    async ({ params: { name }, body, caller }) => {
      await catalogue.assertQueue(name);
      return producer.drain(name, caller?.name ?? 'unknown', body ?? {});
    },
  );
  app.post(
    '/v1/queues/:name/clean',
    { schema: clean, config: scoped('control') },
    async ({ params: { name }, body }) => {
      await catalogue.assertQueue(name);
      return producer.clean(name, body);
    },
  );
}
