import proxy from '@fastify/http-proxy';
import type { App } from '../app.ts';

/** Live connections go on to status, so that a newcomer opens one port. A proxy in front may route them there itself. */
export async function registerLive(app: App, statusUrl: string): Promise<void> {
  await app.register(proxy, {
    upstream: statusUrl,
    prefix: '/socket.io',
    rewritePrefix: '/socket.io',
    websocket: true,
    httpMethods: ['GET', 'POST'],
  });
}
