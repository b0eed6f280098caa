import type { IncomingHttpHeaders } from 'node:http';
import proxy from '@fastify/http-proxy';
import type { App } from '../app.ts';

/** What status takes of one message; a larger one need not travel further. */
const MESSAGE_MAX_BYTES = 32_768;

/** Live connections go on to status, so that a newcomer opens one port. A proxy in front may route them there itself. */
export async function registerLive(app: App, statusUrl: string): Promise<void> {
  await app.register(proxy, {
    upstream: statusUrl,
    prefix: '/socket.io',
    rewritePrefix: '/socket.io',
    websocket: true,
    httpMethods: ['GET', 'POST'],
    wsServerOptions: { maxPayload: MESSAGE_MAX_BYTES },
    wsClientOptions: CLIENT_OPTIONS,
  });
}

/** The plugin's types leave out `rewriteRequestHeaders`, which its documentation has; a constant may carry more than they name. */
const CLIENT_OPTIONS = {
  followRedirects: false,
  rewriteRequestHeaders: (_headers: unknown, { headers }: { headers: IncomingHttpHeaders }) => forwarded(headers),
};

/** status decides who may connect by the page's origin and by the host that the browser asked for. */
function forwarded({ origin, host }: IncomingHttpHeaders): Record<string, string> {
  return { ...(origin && { origin }), ...(host && { 'x-forwarded-host': host }) };
}
