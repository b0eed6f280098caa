import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'listWorkers',
  summary: 'List workers that are alive',
  description: 'A worker that was killed leaves the list within 15 seconds.',
  tags: ['workers'],
  response: {
    200: { description: 'All workers.', ...Type.Object({ workers: Type.Array(Type.Ref('WorkerInfo')) }) },
    ...problems(),
  },
};

export function listWorkers(app: App, { registry }: Services): void {
  app.get('/v1/workers', { schema, config: scoped('read') }, async () => ({ workers: await registry.workers() }));
}
