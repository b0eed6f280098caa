import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientToServer, ServerToClient } from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Reader } from '@spillway/queue/reader';
import { type Config, Gauge, type Keys, type Logger, type Readiness, type Registry } from '@spillway/runtime';
import { type DefaultEventsMap, type Namespace, Server } from 'socket.io';
import type { Access } from './access.ts';
import { makeAdmission } from './admission.ts';
import type { Relay } from './relay.ts';
import { createEventStreams, type EventStreams } from './sse.ts';
import { makeAuthorize } from './sse-access.ts';
import { jobOfEvents } from './sse-request.ts';
import { serveWatches } from './watch.ts';

/** What a connection carries. */
interface SocketData {
  /** Set at the handshake. */
  access: Access;
}

export type Jobs = Namespace<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>;

export interface StatusSetup {
  keys: Keys;
  config: Config;
  relay: Relay;
  feed: Feed;
  reader: Reader;
  metrics: Registry;
  readiness: () => Promise<Readiness>;
  logger: Logger;
}

export interface StatusServer {
  /** Resolves with the address once it listens; rejects when the port is taken. */
  listen(port: number, host: string): Promise<string>;
  /** Ends all streams, disconnects everybody and stops listening. */
  close(): Promise<void>;
}

/** A message of a client is a list of ids and cursors; nothing it sends needs more. */
const MESSAGE_MAX_BYTES = 32_768;

/** Builds the live server, not listening yet. */
export function createServer(setup: StatusSetup): StatusServer {
  const streams = createEventStreams({ ...setup, authorize: makeAuthorize(setup) });
  new Gauge({
    name: 'spillway_event_streams',
    help: 'Streams of Server-Sent Events that are open.',
    registers: [setup.metrics],
    collect() {
      this.set(streams.size);
    },
  });
  const http = createHttpServer((request, response) => {
    answer(request, response, setup, streams).catch((err: unknown) => setup.logger.error({ err }, 'request failed'));
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
  jobs.use(makeAdmission(setup));
  serveWatches(jobs, setup);
  setup.relay.to(jobs);

  return {
    async listen(port, host) {
      http.listen(port, host);
      await once(http, 'listening');
      const { port: bound } = http.address() as AddressInfo;
      return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    },
    async close() {
      await streams.close();
      await io.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { readiness, metrics }: StatusSetup,
  streams: EventStreams,
): Promise<void> {
  const { url } = request;
  const job = jobOfEvents(url);
  if (job !== undefined) return streams.answer(request, response, job);
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
        'This is status: connect to /socket.io/ or read /v1/jobs/<id>/events here, or ask api for everything else.\n',
      );
  }
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType }).end(body);
}
