import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import proxy from '@fastify/http-proxy';
import { SpillwayError } from '@spillway/contracts';
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
    preHandler: () => assertReachable(statusUrl),
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

/** How long status may take to accept a connection; it is on this machine or in this network. */
const CONNECT_MS = 1000;

/**
 * A connection that is accepted first and dropped afterwards leaves a browser waiting for its time-out, so api asks before
 * it accepts. @throws SpillwayError `unavailable`
 */
async function assertReachable(statusUrl: string): Promise<void> {
  const { hostname, port, protocol } = new URL(statusUrl);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
  } catch (cause) {
    throw new SpillwayError('unavailable', 'status cannot be reached', { cause });
  } finally {
    socket.destroy();
  }
}
