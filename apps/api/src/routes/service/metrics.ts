import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'metrics',
  summary: 'Figures for Prometheus',
  tags: ['service'],
  response: {
    200: { description: 'Text exposition format.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...problems(),
  },
};

export function metrics(app: App, { metrics: { registry } }: Services): void {
  app.get('/metrics', { schema, config: scoped('read') }, async (_request, reply) =>
    reply
      .type(registry.contentType)
      .serializer(String)
      .send(await registry.metrics()),
  );
}
