import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import type { Connections } from './connections.ts';
import type { LiveMetrics } from './metrics.ts';

const PATH = '/socket.io/';

/**
 * Decides about a connection before its handshake, where a no costs next to nothing: 503 with `Retry-After` while this
 * process drains, is full or has its hands full; 400 and 404 for what is no handshake. Takes the place of the listener
 * that Socket.IO has put on the HTTP server.
 */
export function guardUpgrades(
  http: HttpServer,
  io: Server,
  { connections, metrics }: { connections: Connections; metrics: Pick<LiveMetrics, 'refused'> },
): void {
  http.removeAllListeners('upgrade');
  // The answer to a handshake and the first packet leave in one write: where ten thousand come back at once, a write less
  // is a twentieth of the work.
  io.engine.on('initial_headers', (_headers: object, { socket }: IncomingMessage) => {
    socket.cork();
    setImmediate(() => socket.uncork());
  });
  http.on('upgrade', (request: IncomingMessage, line: Duplex, head: Buffer) => {
    line.on('error', () => line.destroy());
    const fault = faultOf(request);
    if (fault) {
      metrics.refused.inc({ reason: 'request' });
      return refuse(line, fault);
    }
    const refusal = connections.refusal();
    if (refusal) {
      metrics.refused.inc({ reason: refusal.reason });
      return refuse(line, '503 Service Unavailable', `Retry-After: ${refusal.retryAfterS}`);
    }
    connections.add(line);
    io.engine.handleUpgrade(request, line, head);
  });
}

function faultOf({ url = '' }: IncomingMessage): string | undefined {
  if (!url.startsWith(PATH)) return '404 Not Found';
  // Only a client that changes from polling to WebSocket names a session, and there is no polling: whoever does it wants
  // to take over somebody's connection.
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  return query.has('sid') ? '400 Bad Request' : undefined;
}

function refuse(line: Duplex, status: string, ...headers: string[]): void {
  line.end([`HTTP/1.1 ${status}`, ...headers, 'Connection: close', 'Content-Length: 0', '', ''].join('\r\n'));
}
