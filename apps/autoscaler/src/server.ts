import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { checkReadiness } from '@spillway/runtime';
import type { Autoscaler } from './autoscaler.ts';
import { type Listener, listening } from './listening.ts';
import type { AutoscalerMetrics } from './metrics.ts';

interface ServerSetup {
  autoscaler: Pick<Autoscaler, 'view' | 'trouble'>;
  metrics: AutoscalerMetrics;
  /** What `GET /` shows beside the view: mode and limits. */
  facts: object;
}

/** Shows what the autoscaler sees and does; nobody can change anything through it. Not listening yet. */
export function createServer(setup: ServerSetup): Listener {
  const http = createHttpServer((request, response) => {
    void answer(request.url?.split('?')[0], response, setup);
  });
  return listening(http);
}

async function answer(path: string | undefined, response: ServerResponse, setup: ServerSetup): Promise<void> {
  const { autoscaler, metrics, facts } = setup;
  switch (path) {
    case '/':
      return json(response, 200, { ...facts, ...autoscaler.view(), trouble: autoscaler.trouble() });
    case '/healthz':
      return json(response, 200, { ok: true });
    case '/readyz': {
      const state = await checkReadiness({ workers: async () => assertFine(autoscaler) });
      return json(response, state.ready ? 200 : 503, state);
    }
    case '/metrics':
      return send(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
    default:
      return json(response, 404, { message: `expected /, /healthz, /readyz or /metrics, got ${path}` });
  }
}

function assertFine({ view, trouble }: ServerSetup['autoscaler']): void {
  const reason = trouble() ?? (view() ? undefined : 'has not looked yet');
  if (reason) throw new Error(reason);
}

function json(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', JSON.stringify(body));
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }).end(body);
}
