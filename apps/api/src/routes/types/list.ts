import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const all = {
  operationId: 'listTypes',
  summary: 'List job types',
  description: 'Every type that a worker has registered, with the schema of its input.',
  tags: ['types'],
  response: {
    200: { description: 'All types.', ...Type.Object({ types: Type.Array(Type.Ref('JobType')) }) },
    ...problems(),
  },
};

const one = {
  operationId: 'getType',
  summary: 'Read a job type',
  tags: ['types'],
  params: Type.Object({ type: Type.String({ maxLength: 64 }) }),
  response: { 200: { description: 'The type.', ...Type.Ref('JobType') }, ...problems('unknown_type') },
};

export function listTypes(app: App, { catalogue }: Services): void {
  app.get('/v1/types', { schema: all, config: scoped('read') }, async () => ({ types: await catalogue.types() }));
  app.get(
    '/v1/types/:type',
    { schema: one, config: scoped('read') },
    async ({ params }) => (await catalogue.find(params.type)).type,
  );
}
