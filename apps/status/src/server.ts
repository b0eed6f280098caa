import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setRoom } from '@spillway/contracts';
import type { Cancel } from '@spillway/queue/cancel';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';
import type { TokenRecords } from '@spillway/queue/tokens';
import { type Config, type Keys, type Logger, type Readiness, type Tokens, takeHandedOver } from '@spillway/runtime';
import { Server } from 'socket.io';
import { makeAdmission } from './admission.ts';
import { createCallerLimit } from './caller-limit.ts';
import { obey } from './command.ts';
import { type Connections, createConnections } from './connections.ts';
import { endAll, sendAway } from './drain.ts';
import { bufferedBytes, type LiveConnection, type LiveNamespace, type LiveSocket } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';
import { serveOverview } from './ops.ts';
import { limitRate } from './rate-limit.ts';
import type { Relay } from './relay.ts';
import { serveRequests } from './requests.ts';
import { sendToRoom } from './room.ts';
import { type AnySet, createSets, type SetOutlet } from './sets.ts';
import { createPace, type SlowReaders } from './slow-readers.ts';
import { createEventStreams, type EventStreams } from './sse.ts';
import { makeAuthorize } from './sse-access.ts';
import { jobOfEvents } from './sse-request.ts';
import { readOpsTargets, readTargets } from './targets.ts';
import { textParser } from './text-parser.ts';
import { reviewTokens, serveRefresh } from './token-review.ts';
import { guardUpgrades } from './upgrade.ts';
import { serveWatches, type WatchSetup } from './watch.ts';

export interface StatusSetup {
  keys: Keys;
  tokens: Tokens;
  tokenRecords: TokenRecords;
  config: Config;
  relay: Relay;
  feed: Feed;
  reader: Reader;
  registry: Registry;
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
  const streams = createEventStreams({ ...setup, authorize: makeAuthorize(setup) });
  let draining = false;
  const http = createHttpServer((request, response) => {
    answer(request, response, { ...setup, streams, draining }).catch((err: unknown) =>
      setup.logger.error({ err }, 'request failed'),
    );
  });
  const io = openSocketIo(http);
  guardUpgrades(http, io, { connections, metrics });
  takeHandedOver(http);
  io.engine.on('connection', (connection: LiveConnection) => limitRate(connection, metrics));
  const jobs: LiveNamespace = io.of('/jobs');
  const ops: LiveNamespace = io.of('/ops');
  const sets = createSets({
    ...setup,
    outlet: setOutlet({ jobs, ops }, setup),
    onError: (err) => setup.logger.warn({ err }, 'a watched set could not be read'),
  });
  const callers = createCallerLimit(config.statusCallerConnections, metrics);
  const open = (namespace: LiveNamespace, who: 'watchers' | 'operators', readTargets: WatchSetup['readTargets']) => {
    const serve = prepareService({ ...setup, sets, readTargets }, connections);
    namespace.use(makeAdmission(setup, who));
    namespace.use(callers.admit);
    namespace.on('connection', (socket) => {
      callers.count(socket);
      serve(socket);
    });
  };
  open(jobs, 'watchers', readTargets);
  open(ops, 'operators', readOpsTargets);
  serveOverview(ops, setup);
  const stopReviews = reviewTokens(jobs);
  relay.to(jobs);
  metrics.watch({
    connections: () => connections.size,
    streams: () => streams.size,
    watches: () => sum([jobs, ops], ({ data }) => data.watched.size),
    bufferedBytes: () => sum([jobs, ops], ({ conn }) => bufferedBytes(conn)),
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
      stopReviews();
      // From here on a new connection goes to another process: nobody listens.
      http.close();
      await streams.close();
      await sendAway([jobs, ops], { connections, stopMs: config.statusStopMs });
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
    parser: textParser,
    maxHttpBufferSize: MESSAGE_MAX_BYTES,
    connectTimeout: CONNECT_MS,
    pingInterval: 15_000,
    pingTimeout: 10_000,
  });
}

/** Sets of `/ops` are heard there, the others in `/jobs`. */
function setOutlet({ jobs, ops }: { jobs: LiveNamespace; ops: LiveNamespace }, setup: StatusSetup): SetOutlet {
  const namespaceOf = (set: AnySet) => ('queue' in set || 'tenant' in set ? ops : jobs);
  return {
    frame: (set, frame) => sendToRoom(namespaceOf(set), setRoom(set), { frame, set }, setup),
    resync(set, why) {
      const namespace = namespaceOf(set);
      setup.metrics.resyncs.inc({ reason: 'gap' }, namespace.adapter.rooms.get(setRoom(set))?.size ?? 0);
      namespace.to(setRoom(set)).emit('resync', { targets: [set], why });
    },
    aggregate: (batch) => void jobs.to(setRoom({ batch: batch.id })).emit('aggregate', batch),
  };
}

/** What the connections of a namespace share is made once: there may be 20,000. */
function prepareService(
  setup: StatusSetup & Pick<WatchSetup, 'sets' | 'readTargets'>,
  connections: Connections,
): (socket: LiveSocket) => void {
  const watchSetup: WatchSetup = {
    ...setup,
    watchedMax: setup.config.statusWatched,
    onWatched: ({ conn }) => connections.arrived(conn.request.socket),
  };
  return (socket) => {
    socket.data.watched = new Map();
    socket.data.pace = createPace();
    const serve = serveRequests(socket, setup);
    serveWatches(socket, serve, watchSetup);
    serveRefresh(socket, serve, setup);
    serve('command', (request) => {
      setup.metrics.commands.inc();
      return obey(request, socket.data.access, setup);
    });
  };
}

function sum(namespaces: readonly LiveNamespace[], figure: (socket: LiveSocket) => number): number {
  let total = 0;
  for (const { sockets } of namespaces) for (const socket of sockets.values()) total += figure(socket);
  return total;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { readiness, metrics, streams, draining }: StatusSetup & { streams: EventStreams; draining: boolean },
): Promise<void> {
  const { url } = request;
  const job = jobOfEvents(url);
  if (job !== undefined) return streams.answer(request, response, job);
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
        'This is status: connect to /socket.io/ or read /v1/jobs/<id>/events here, or ask api for everything else.\n',
      );
  }
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType }).end(body);
}
