import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClientToServer, type ServerToClient, type ServerToOperator, setRoom } from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Registry as WorkerRegistry } from '@spillway/queue/registry';
import type { Config, Keys, Logger, Readiness, Registry } from '@spillway/runtime';
import { type DefaultEventsMap, type Namespace, Server } from 'socket.io';
import type { Access } from './access.ts';
import { makeAdmission } from './admission.ts';
import { serveOps } from './ops.ts';
import type { Relay } from './relay.ts';
import { type AnySet, createSets } from './sets.ts';
import { serveWatches } from './watch.ts';

/** What a connection carries. */
export interface SocketData {
  /** Set at the handshake. */
  access: Access;
}

export type Jobs = Namespace<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>;

export type Ops = Namespace<ClientToServer, ServerToOperator, DefaultEventsMap, SocketData>;

export interface StatusSetup {
  keys: Keys;
  config: Config;
  relay: Relay;
  feed: Feed;
  reader: Reader;
  registry: WorkerRegistry;
  metrics: Registry;
  readiness: () => Promise<Readiness>;
  logger: Logger;
}

export interface StatusServer {
  /** Resolves with the address once it listens; rejects when the port is taken. */
  listen(port: number, host: string): Promise<string>;
  /** Disconnects everybody and stops listening. */
  close(): Promise<void>;
}

/** A message of a client is a list of ids and cursors; nothing it sends needs more. */
const MESSAGE_MAX_BYTES = 32_768;

/** Builds the live server, not listening yet. */
export function createServer(setup: StatusSetup): StatusServer {
  const http = createHttpServer((request, response) => {
    answer(request, response, setup).catch((err: unknown) => setup.logger.error({ err }, 'request failed'));
  });
  const io = new Server(http, {
    // Without HTTP polling any instance can serve any client, so no balancer needs sticky sessions.
    transports: ['websocket'],
    serveClient: false,
    // Under faults, Socket.IO's own recovery lost and doubled events while it reported success: the cursor is the client's.
    connectionStateRecovery: undefined,
    perMessageDeflate: false,
    maxHttpBufferSize: MESSAGE_MAX_BYTES,
    pingInterval: 15_000,
    pingTimeout: 10_000,
  });
  const jobs: Jobs = io.of('/jobs');
  const ops: Ops = io.of('/ops');
  const roomOf = (set: AnySet) => ('queue' in set || 'tenant' in set ? ops : jobs).to(setRoom(set));
  const sets = createSets({
    ...setup,
    outlet: {
      frame: (set, events) => roomOf(set).emit('events', events, set),
      resync: (set, why) => roomOf(set).emit('resync', { targets: [set], why }),
    },
    onError: (err) => setup.logger.warn({ err }, 'a watched set could not be read'),
  });
  jobs.use(makeAdmission(setup, ['read']));
  serveWatches(jobs, { ...setup, sets });
  setup.relay.to(jobs);
  ops.use(makeAdmission(setup, ['read', 'control']));
  serveOps(ops, { ...setup, sets });

  return {
    async listen(port, host) {
      http.listen(port, host);
      await once(http, 'listening');
      const { port: bound } = http.address() as AddressInfo;
      return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    },
    async close() {
      await io.close();
    },
  };
}

async function answer(
  { url }: IncomingMessage,
  response: ServerResponse,
  { readiness, metrics }: StatusSetup,
): Promise<void> {
  switch (url?.split('?')[0]) {
    case '/healthz':
      return reply(response, 200, 'application/json', JSON.stringify({ ok: true }));
    case '/readyz': {
      const state = await readiness();
      return reply(response, state.ready ? 200 : 503, 'application/json', JSON.stringify(state));
    }
    case '/metrics':
      return reply(response, 200, metrics.contentType, await metrics.metrics());
    default:
      return reply(
        response,
        404,
        'text/plain',
        'This is status: connect to /socket.io/ here, or ask api for everything else.\n',
      );
  }
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType }).end(body);
}
