import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Cursor,
  ERRORS,
  type Snapshot,
  type SnapshotPage,
  SpillwayError,
  toProblem,
  unknownJob,
} from '@spillway/contracts';
import type { Feed } from '@spillway/queue/feed';
import type { Config, Logger } from '@spillway/runtime';
import type { Access } from './access.ts';
import type { Authorize } from './sse-access.ts';
import { formatId, type Standing, standingAt } from './sse-message.ts';
import { readEventsRequest } from './sse-request.ts';
import { EventStream, type StreamSetup, snapshotAfter } from './sse-stream.ts';

/** Server-Sent Events: the same truth as over Socket.IO, for whatever speaks HTTP. */
export interface EventStreams {
  /** Streams that are open at the moment, those that are just being opened included. */
  readonly size: number;
  /** Answers `GET /v1/jobs/:id/events` and what else is sent there. Resolves when the answer is over; never rejects. */
  answer(request: IncomingMessage, response: ServerResponse, job: string): Promise<void>;
  /** Ends all streams; their readers ask again, elsewhere. What comes afterwards is refused. */
  close(): Promise<void>;
}

export interface EventStreamsSetup extends Omit<StreamSetup, 'heartbeatMs' | 'stuckMs' | 'logger'> {
  feed: Pick<Feed, 'follow'>;
  authorize: Authorize;
  config: Pick<Config, 'origins'>;
  logger: Logger;
  limits?: Partial<typeof LIMITS>;
}

const LIMITS = {
  /** Half of the time after which common proxies cut a silent connection, and less. */
  heartbeatMs: 15_000,
  stuckMs: 30_000,
  /** Streams in one process; each is a connection and about 20 KB. */
  streams: 10_000,
  /** Between two looks at whether a reader may still read. */
  accessMs: 1000,
  /** How long a reader may take to read the end when the process stops. */
  stopMs: 1000,
};

const GIVEN_ID = /^[\w.:-]{1,64}$/;

export function createEventStreams(setup: EventStreamsSetup): EventStreams {
  const { config, logger } = setup;
  const limits = { ...LIMITS, ...setup.limits };
  const open = new Map<ServerResponse, { stream: EventStream; access: Access } | undefined>();
  let closing = false;
  // Whose right has ended asks again, and learns why from the refusal.
  const looking = setInterval(() => {
    for (const entry of open.values()) if (entry?.access.ended()) entry.stream.close();
  }, limits.accessMs).unref();

  async function answer(request: IncomingMessage, response: ServerResponse, job: string): Promise<void> {
    allowOrigin(request, response, config.origins);
    if (request.method === 'OPTIONS') return preflight(response);
    try {
      if (closing || open.size >= limits.streams)
        throw new SpillwayError('unavailable', `expected fewer than ${limits.streams} streams here, got ${open.size}`);
      open.set(response, undefined);
      const { query, after } = readEventsRequest(request);
      const access = await setup.authorize(request, query);
      if (query.wait === '0') await answerOnce(response, job, after?.cursor, access);
      else await follow(response, job, after, access);
    } catch (error) {
      refuse(request, response, error, logger);
    } finally {
      open.delete(response);
    }
  }

  async function answerOnce(
    response: ServerResponse,
    job: string,
    after: Cursor | undefined,
    access: Access,
  ): Promise<void> {
    const snapshot = await snapshotAfter(setup.reader, job, after);
    assertVisible(snapshot, access);
    const page: SnapshotPage = { ...snapshot, next: formatId(standingAt(snapshot)) };
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(page));
  }

  /** Follow the queue and collect first, look second: what happens in between is in both, and told once. */
  async function follow(
    response: ServerResponse,
    job: string,
    after: Standing | undefined,
    access: Access,
  ): Promise<void> {
    const release = await setup.feed.follow(job).catch((cause: unknown) => {
      throw new SpillwayError('unavailable', 'expected Redis to tell where the events stand, got no answer', { cause });
    });
    const stream = new EventStream(job, after?.cursor, response, { ...setup, ...limits });
    try {
      open.set(response, { stream, access });
      const snapshot = await stream.snapshot();
      assertVisible(snapshot, access);
      // By this EventSource knows that it need not ask again.
      if (after && hasAll(after, snapshot)) response.writeHead(204).end();
      else {
        response.writeHead(200, {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-cache, no-transform',
          // Asks nginx, and those that follow it, not to hold back what is small.
          'x-accel-buffering': 'no',
          connection: 'close',
        });
        await stream.run(snapshot);
      }
    } finally {
      stream.close();
      release();
    }
  }

  return {
    get size() {
      return open.size;
    },
    answer,
    async close() {
      closing = true;
      clearInterval(looking);
      for (const [response, entry] of open) {
        entry?.stream.close();
        setTimeout(() => response.destroy(), limits.stopMs).unref();
      }
    },
  };
}

/** Whether the reader has seen the end that the job has, and every line before it. */
function hasAll({ cursor, seen }: Standing, snapshot: Snapshot): boolean {
  const { log, output } = snapshot.cursor;
  return seen === snapshot.job.state && cursor.log === log && cursor.output === output;
}

/** @throws SpillwayError as for a job that does not exist: who may not see one learns no more than that */
function assertVisible({ job }: Snapshot, access: Access): void {
  if (!access.maySee(job)) throw unknownJob(job.id);
}

function allowOrigin({ headers: { origin } }: IncomingMessage, response: ServerResponse, origins: string[]): void {
  if (origins.length === 0) return;
  response.setHeader('vary', 'Origin');
  if (!origin || !origins.includes(origin)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'x-request-id, retry-after');
}

function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': 'authorization, last-event-id, x-request-id',
  });
  response.end();
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, logger: Logger): void {
  const known = error instanceof SpillwayError ? error : undefined;
  if (!known) logger.error({ err: error }, 'a stream of events failed');
  if (response.headersSent) return void response.destroy();
  const refusal =
    known ?? new SpillwayError('internal', 'an unexpected error; the log of status has it', { cause: error });
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && GIVEN_ID.test(given) ? given : undefined;
  response.writeHead(ERRORS[refusal.code].status, {
    'content-type': 'application/problem+json',
    ...(requestId && { 'x-request-id': requestId }),
    ...(refusal.code === 'unavailable' && { 'retry-after': '1' }),
    ...(refusal.code === 'unauthorized' && { 'www-authenticate': 'Bearer' }),
    ...(refusal.code === 'method_not_allowed' && { allow: 'GET' }),
  });
  response.end(JSON.stringify(toProblem(refusal, requestId)));
}
