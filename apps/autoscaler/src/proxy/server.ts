import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '@spillway/runtime';
import { type Answer, callEngine } from '../docker/call.ts';
import { cloneOf } from '../docker/clone.ts';
import { belongsTo, listPath, readInspected, readList, type Service } from '../docker/containers.ts';
import { type Listener, listening } from '../listening.ts';
import { type Order, orderOf } from './order.ts';

interface ProxySetup {
  /** The engine's own socket. */
  socketPath: string;
  /** The one service whose containers may be touched. */
  service: Service;
  /** Highest number that a container may have. */
  max: number;
  logger: Logger;
}

/** A container's settings are a few kilobytes; its environment may be some more. */
const BODY_MAX_BYTES = 1024 * 1024;

/** Ends a request with 403. */
class Refusal extends Error {}

/**
 * Stands before the engine's socket and lets through what scales one service: list, inspect, start, stop and remove its
 * containers, and create such as equal one of them in everything but name and number. All else is refused with 403, and the
 * engine hears nothing of it. Not listening yet.
 */
export function createProxy(setup: ProxySetup): Listener {
  const { logger } = setup;
  const http = createHttpServer((request, response) => {
    const what = { method: request.method, url: request.url };
    respond(request, setup).then(
      (answer) => send(response, answer),
      (err: unknown) => {
        logger.warn({ ...what, err }, err instanceof Refusal ? 'refused' : 'the engine gave no answer');
        send(response, failed(err));
      },
    );
  });
  return listening(http);
}

function failed(error: unknown): Answer {
  const message = error instanceof Error ? error.message : String(error);
  return { status: error instanceof Refusal ? 403 : 502, text: JSON.stringify({ message }) };
}

function send(response: ServerResponse, { status, text }: Answer): void {
  // Neither 204 nor 304 may have a body.
  response.writeHead(status, text ? { 'content-type': 'application/json' } : {}).end(text);
}

async function respond(request: IncomingMessage, setup: ProxySetup): Promise<Answer> {
  const { method = '', url = '' } = request;
  const order = orderOf(method, url);
  if (!order) throw new Refusal(`expected a call that scales ${setup.service.service}, got ${method} ${url}`);
  const body = await readBody(request);
  if (order.kind !== 'create' && body) throw new Refusal(`expected no body with ${method} ${url}, got one`);
  return obey(order, body, setup);
}

async function obey(order: Order, body: string, setup: ProxySetup): Promise<Answer> {
  const call = (method: string, path: string) => callEngine(setup, { method, path });
  switch (order.kind) {
    case 'ready':
      return call('GET', '/_ping').then(({ status }) => ({ status, text: '' }));
    case 'list':
      return call('GET', listPath(setup.service));
    case 'create':
      return create(order.name, body, setup);
    case 'inspect':
      return ownContainer(order.id, setup);
    case 'start':
    case 'stop':
      await ownContainer(order.id, setup);
      return call('POST', `/containers/${order.id}/${order.kind}`);
    case 'remove':
      await ownContainer(order.id, setup);
      return call('DELETE', `/containers/${order.id}`);
  }
}

/** The engine's answer for a container that may be touched. One that is gone is nobody's, and the engine says so. */
async function ownContainer(id: string, setup: ProxySetup): Promise<Answer> {
  const answer = await callEngine(setup, { method: 'GET', path: `/containers/${id}/json` });
  if (answer.status === 200 && !belongsTo(readInspected(answer.text), setup.service)) {
    const { project, service } = setup.service;
    throw new Refusal(`expected a container of the service ${service} of ${project}, got another one`);
  }
  return answer;
}

async function create(name: string, body: string, setup: ProxySetup): Promise<Answer> {
  const { project, service } = setup.service;
  const number = numberOf(name, `${project}-${service}-`);
  if (number === undefined || number > setup.max)
    throw new Refusal(
      `expected a name from ${project}-${service}-1 to ${project}-${service}-${setup.max}, got ${name}`,
    );
  const wish = parse(body);
  if (!(await isClone(wish, number, setup)))
    throw new Refusal(`expected the settings of a container of ${service} that exists, got others`);
  return callEngine(setup, { method: 'POST', path: `/containers/create?name=${name}`, body: wish });
}

/** The number at the end of a name; undefined where it is no name of the service. Pure. */
function numberOf(name: string, prefix: string): number | undefined {
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^[1-9]\d{0,3}$/.test(digits) ? Number(digits) : undefined;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Refusal('expected JSON, got something else');
  }
}

/** Not compared field by field: what the proxy would not have made itself is refused. */
async function isClone(wish: unknown, number: number, setup: ProxySetup): Promise<boolean> {
  const list = await callEngine(setup, { method: 'GET', path: listPath(setup.service) });
  for (const { id } of readList(list.text)) {
    const { status, text } = await callEngine(setup, { method: 'GET', path: `/containers/${id}/json` });
    if (status === 200 && isDeepStrictEqual(wish, cloneOf(readInspected(text), number).body)) return true;
  }
  return false;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_MAX_BYTES) throw new Refusal(`expected ${BODY_MAX_BYTES} bytes at most, got more`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
