import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SpillwayError } from '@spillway/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './app.ts';

/**
 * How long status is asked again while it cannot be reached: as long as it takes to start anew. EventSource asks again by
 * itself after a lost connection, but takes a 503 for good.
 */
const PATIENCE_MS = 4000;
const PAUSE_MS = 250;
/** How long status may say nothing: several heartbeats of a stream. After that it is gone, whatever TCP believes. */
const SILENCE_MS = 60_000;

/** Headers that are between two neighbours, not between the ends (RFC 9110, 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
/** Of a request, those of a body too: a GET's is not passed on. */
const NOT_PASSED_ON = [...HOP_BY_HOP, 'expect', 'content-length'];

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Passes GET requests on to the same address of status, and the answer back as it comes: nothing is held back, no time
 * limit cuts a stream that lives, and whichever end leaves, the other is told. The handler throws SpillwayError
 * `unavailable` where status stays away; streams end when the app closes.
 */
export function createForward(app: App, statusUrl: string): Handler {
  const open = new Set<AbortController>();
  app.addHook('preClose', async () => {
    for (const left of open) left.abort();
  });
  return async ({ raw, id }, reply) => {
    const left = new AbortController();
    open.add(left);
    reply.raw.once('close', () => {
      open.delete(left);
      left.abort();
    });
    const headers = { ...without(NOT_PASSED_ON, raw.headers), 'x-request-id': id };
    const answer = await ask(statusUrl, raw.url ?? '', headers, left.signal).catch((error: unknown) => {
      // A connection that is kept after its answer would hold up a stop that has begun.
      if (left.signal.aborted) reply.header('connection', 'close');
      throw error;
    });
    reply.hijack();
    reply.raw.writeHead(answer.statusCode ?? 502, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      ...without(HOP_BY_HOP, answer.headers),
    });
    reply.raw.flushHeaders();
    // Streams are cut all the time, at either end; the other end is then cut too, and the reader asks again.
    await pipeline(answer, reply.raw, { signal: left.signal }).catch(() => undefined);
  };
}

/** @throws SpillwayError `unavailable` when status cannot be reached for a while, or the client has left, or api stops. */
async function ask(
  statusUrl: string,
  path: string,
  headers: OutgoingHttpHeaders,
  left: AbortSignal,
): Promise<IncomingMessage> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await send(statusUrl, path, headers, left);
    } catch (cause) {
      if (left.aborted || Date.now() >= deadline)
        throw new SpillwayError('unavailable', 'expected status to answer, got no connection', { cause });
    }
    await sleep(PAUSE_MS, undefined, { signal: left }).catch(() => undefined);
  }
}

function send(
  statusUrl: string,
  path: string,
  headers: OutgoingHttpHeaders,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { protocol, hostname, port } = new URL(statusUrl);
  const request = protocol === 'https:' ? requestHttps : requestHttp;
  // The Host stays the caller's: status decides by it who may ask. A connection each, because a stream keeps it anyway.
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port, path, headers, agent: false, signal };
  return new Promise((resolve, reject) => {
    const asking = request(target, resolve);
    asking.setTimeout(SILENCE_MS, () => asking.destroy(new Error(`status was silent for ${SILENCE_MS} ms`)));
    asking.once('error', reject);
    asking.on('error', () => undefined);
    asking.end();
  });
}

function without(names: readonly string[], headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
