import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';

const Readiness = Type.Object({ ready: Type.Boolean(), checks: Type.Record(Type.String(), Type.String()) });

const live = {
  operationId: 'healthz',
  summary: 'Whether the process lives',
  tags: ['service'],
  security: [],
  response: { 200: { description: 'It does.', ...Type.Object({ ok: Type.Boolean() }) } },
};

const ready = {
  operationId: 'readyz',
  summary: 'Whether the process can do its work',
  description: 'Says for each thing that it needs whether it is there.',
  tags: ['service'],
  security: [],
  response: { 200: { description: 'It can.', ...Readiness }, 503: { description: 'It cannot.', ...Readiness } },
};

export function health(app: App, { readiness }: Services): void {
  app.get('/healthz', { schema: live }, async () => ({ ok: true }));
  app.get('/readyz', { schema: ready }, async (_request, reply) => {
    const state = await readiness();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
}
