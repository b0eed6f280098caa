import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cancel } from '@spillway/queue/cancel';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Config, Keys, Logger, Readiness } from '@spillway/runtime';
import { Server } from 'socket.io';
import { makeAdmission } from './admission.ts';
import { createCallerLimit } from './caller-limit.ts';
import { obey } from './command.ts';
import { type Connections, createConnections } from './connections.ts';
import { endAll, sendAway } from './drain.ts';
import { bufferedBytes, type Jobs, type LiveConnection, type LiveSocket } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';
import { limitRate } from './rate-limit.ts';
import type { Relay } from './relay.ts';
import { serveRequests } from './requests.ts';
import { createPace, type SlowReaders } from './slow-readers.ts';
import { guardUpgrades } from './upgrade.ts';
import { serveWatches } from './watch.ts';

export interface StatusSetup {
  keys: Keys;
  config: Config;
  relay: Relay;
  feed: Feed;
  reader: Reader;
  cancel: Cancel;
  slowReaders: SlowReaders;
  metrics: LiveMetrics;
  readiness: () => Promise<Readiness>;
  logger: Logger;
}

export interface StatusServer {
  /** Resolves with the address once it listens; rejects when the port is taken. */
  listen(port: number, host: string): Promise<string>;
  /**
   * Stops listening, sends every client to another process and waits until they have left, for SPILLWAY_STATUS_STOP_MS at
   * most; then ends what is left. Readiness says no from the first moment.
   */
  close(): Promise<void>;
}

/** A message of a client is a list of ids and cursors; nothing it sends needs more. */
const MESSAGE_MAX_BYTES = 32_768;
/** Time to name a namespace after the handshake; a client says it with its first packet. */
const CONNECT_MS = 10_000;

/** Handshakes that the kernel keeps for us: after an outage thousands knock in one moment, and one it drops knocks again only a second later. */
const BACKLOG = 4096;

/** Builds the live server, not listening yet. */
export function createServer(setup: StatusSetup): StatusServer {
  const { config, relay, metrics } = setup;
  const connections = createConnections({ most: config.statusConnections });
  let draining = false;
  const http = createHttpServer((request, response) => {
    answer(request, response, setup, draining).catch((err: unknown) => setup.logger.error({ err }, 'request failed'));
  });
  const io = openSocketIo(http);
  guardUpgrades(http, io, { connections, metrics });
  io.engine.on('connection', (connection: LiveConnection) => limitRate(connection, metrics));
  const jobs: Jobs = io.of('/jobs');
  const serve = prepareService(setup, connections);
  const callers = createCallerLimit(config.statusCallerConnections, metrics);
  jobs.use(makeAdmission(setup));
  jobs.use(callers.admit);
  jobs.on('connection', (socket) => {
    callers.count(socket);
    serve(socket);
  });
  relay.to(jobs);
  metrics.watch({
    connections: () => connections.size,
    watches: () => sum(jobs, ({ data }) => data.watched.size),
    bufferedBytes: () => sum(jobs, ({ conn }) => bufferedBytes(conn)),
  });

  return {
    async listen(port, host) {
      http.listen({ port, host, backlog: BACKLOG });
      await once(http, 'listening');
      const { port: bound } = http.address() as AddressInfo;
      return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    },
    async close() {
      draining = true;
      // From here on a new connection goes to another process: nobody listens.
      http.close();
      await sendAway(jobs, { connections, stopMs: config.statusStopMs });
      await endAll(() => void io.close(), connections);
      http.closeAllConnections();
    },
  };
}

function openSocketIo(http: HttpServer): Server {
  return new Server(http, {
    // Without HTTP polling any instance can serve any client, so no balancer needs sticky sessions.
    transports: ['websocket'],
    serveClient: false,
    // Under faults, Socket.IO's own recovery lost and doubled events while it reported success: the cursor is the client's.
    connectionStateRecovery: undefined,
    perMessageDeflate: false,
    maxHttpBufferSize: MESSAGE_MAX_BYTES,
    connectTimeout: CONNECT_MS,
    pingInterval: 15_000,
    pingTimeout: 10_000,
  });
}

/** What every connection shares is made once: there may be 20,000. */
function prepareService(setup: StatusSetup, connections: Connections): (socket: LiveSocket) => void {
  const watchSetup = {
    feed: setup.feed,
    reader: setup.reader,
    logger: setup.logger,
    watchedMax: setup.config.statusWatched,
    onWatched: ({ conn }: LiveSocket) => connections.arrived(conn.request.socket),
  };
  return (socket) => {
    socket.data.watched = new Map();
    socket.data.pace = createPace();
    const serve = serveRequests(socket, setup);
    serveWatches(socket, serve, watchSetup);
    serve('command', (request) => {
      setup.metrics.commands.inc();
      return obey(request, socket.data.access, setup);
    });
  };
}

function sum(jobs: Jobs, figure: (socket: LiveSocket) => number): number {
  let total = 0;
  for (const socket of jobs.sockets.values()) total += figure(socket);
  return total;
}

async function answer(
  { url }: IncomingMessage,
  response: ServerResponse,
  { readiness, metrics }: StatusSetup,
  draining: boolean,
): Promise<void> {
  switch (url?.split('?')[0]) {
    case '/healthz':
      return reply(response, 200, 'application/json', JSON.stringify({ ok: true }));
    case '/readyz': {
      const state = draining ? { ready: false, checks: { stopping: 'sends its clients away' } } : await readiness();
      return reply(response, state.ready ? 200 : 503, 'application/json', JSON.stringify(state));
    }
    case '/metrics':
      return reply(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
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
