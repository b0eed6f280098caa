import { SpillwayError } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'revokeToken',
  summary: 'Revoke a watch token',
  description:
    'Ends the token and everything that it was refreshed to, within about two seconds everywhere, also for watches that run. A token may revoke itself. A repeat is harmless, and so is an id that no token has.',
  tags: ['tokens'],
  params: Type.Object({
    // Only the form that our ids have is kept in Redis.
    id: Type.String({ format: 'uuid', maxLength: 36, description: 'the `id` that came with the token' }),
  }),
  response: { 204: { description: 'The token is revoked.', type: 'null' }, ...problems('invalid_request') },
};

export function revokeToken(app: App, { tokenRecords }: Services): void {
  app.delete('/v1/tokens/:id', { schema, config: scoped('control', 'revoke') }, async ({ params, token }, reply) => {
    if (token && token.id !== params.id) {
      throw new SpillwayError('forbidden', `expected the token's own id, ${token.id}, got ${params.id}`);
    }
    await tokenRecords.revoke(params.id);
    return reply.code(204).send();
  });
}
