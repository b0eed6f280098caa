import { RetryFailedRequest } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'retryFailedJobs',
  summary: 'Run failed jobs of a queue again',
  description:
    'Those that match, oldest end first; each gets all its attempts again. A call looks at up to a thousand jobs: while `more` is true, ask again with the `cursor` of the reply. Jobs that fail again meanwhile are not met twice.',
  tags: ['queues'],
  params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
  body: RetryFailedRequest,
  response: {
    200: { description: 'What was done.', ...Type.Ref('RetryFailedReply') },
    ...problems('invalid_request', 'unknown_queue'),
  },
};

export function retryFailed(app: App, { catalogue, producer }: Services): void {
  app.post(
    '/v1/queues/:name/retry-failed',
    { schema, config: scoped('control') },
    async ({ params: { name }, body }) => {
      await catalogue.assertQueue(name);
      return producer.retryFailed(name, body);
    },
  );
}
