import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import type { HandOver } from '@spillway/runtime';
import type { App } from '../app.ts';

/** How long status may take to accept a connection; it is on this machine or in this network. */
const CONNECT_MS = 1000;

/**
 * Live connections go on to status, so that a newcomer opens one port. A proxy in front may route them there itself. Where
 * the process that started both takes them (`handOver`) they move there whole. Elsewhere bytes are passed on as they are
 * after the handshake: messages are status' business, its limits included. Answers 404 for an upgrade of another path, and
 * 503 when status cannot be reached.
 */
export function registerLive(app: App, { statusUrl, handOver }: { statusUrl: string; handOver: HandOver }): void {
  const tunnels = new Set<Socket>();
  app.server.on('upgrade', (request: IncomingMessage, client: Socket, head: Buffer) => {
    client.on('error', () => client.destroy());
    if (!request.url?.startsWith('/socket.io/')) return refuse(client, '404 Not Found');
    if (handOver(request, client, head)) return;
    tunnels.add(client);
    client.once('close', () => tunnels.delete(client));
    open(client, request, head, statusUrl);
  });
  app.addHook('preClose', async () => {
    for (const client of tunnels) client.destroy();
  });
}

function open(client: Socket, request: IncomingMessage, head: Buffer, statusUrl: string): void {
  const upstream = dial(statusUrl);
  let connected = false;
  upstream.setTimeout(CONNECT_MS, () => upstream.destroy());
  upstream.once(upstream instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
    connected = true;
    upstream.setTimeout(0);
    upstream.setNoDelay(true);
    client.setNoDelay(true);
    upstream.write(handshake(request), 'latin1');
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
  upstream.on('error', () => upstream.destroy());
  upstream.once('close', () =>
    connected ? client.destroy() : refuse(client, '503 Service Unavailable', 'Retry-After: 1'),
  );
  client.once('close', () => upstream.destroy());
}

function dial(statusUrl: string): Socket {
  const { hostname, port, protocol } = new URL(statusUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  return protocol === 'https:'
    ? connectTls({ host, port: Number(port) || 443, servername: host })
    : connectTcp({ host, port: Number(port) || 80 });
}

/** The request as it came, its Host included: status decides by it who may connect. */
function handshake({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function refuse(client: Socket, status: string, ...headers: string[]): void {
  client.end([`HTTP/1.1 ${status}`, ...headers, 'Connection: close', 'Content-Length: 0', '', ''].join('\r\n'));
}
