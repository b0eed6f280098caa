import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SpillwayError, toProblem } from '@spillway/contracts';
import { describeErrors } from '@spillway/runtime';
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.ts';

/** Every error leaves as an RFC 9457 problem document. */
export function registerErrors(app: App): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const known = toKnown(error, request);
    if (known.code === 'internal')
      request.log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'request failed');
    return sendProblem(reply, request, known);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(reply, request, notFound(request)));
  // Node would answer 417 with nothing; what a client expects beside 100-continue may be left unfulfilled (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
}

/** Answers what no route was looked up for: an address that cannot be decoded. */
export function answerBeforeRouting(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  sendProblem(reply, request, toKnown(error, request));
}

/** Answers what is no HTTP, or too much or too slow of it, on the bare connection, and closes that. */
export function answerBadHttp(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const problem = toProblem(badHttp(error));
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy();
}

function badHttp({ code }: ConnectionError): SpillwayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new SpillwayError('headers_too_large', 'expected an address and headers of at most 16384 bytes, got more');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SpillwayError('request_timeout', 'expected the whole request within its time, got a part of it');
    default:
      return new SpillwayError('invalid_request', `expected HTTP/1.1, got what cannot be read as such (${code})`);
  }
}

function notFound({ method, url }: FastifyRequest): SpillwayError {
  return new SpillwayError(
    'not_found',
    `expected an address that is in /openapi.json, got ${method} ${shortened(url)}`,
  );
}

/** Most that a message repeats of an address. */
const URL_SHOWN = 200;

function shortened(url: string): string {
  return url.length > URL_SHOWN ? `${url.slice(0, URL_SHOWN)}…` : url;
}

function sendProblem(reply: FastifyReply, request: FastifyRequest, error: SpillwayError): FastifyReply {
  const problem = toProblem(error, request.id);
  const retryAfterS = error.retryAfterS ?? (error.code === 'unavailable' ? 1 : undefined);
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS));
  // What is left of such a request would be taken for the next one's beginning.
  if (error.code === 'request_timeout') reply.header('connection', 'close');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  // The route's own serializer is for its own replies; a problem is small.
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem);
}

function toKnown(error: Error & Partial<FastifyError>, request: FastifyRequest): SpillwayError {
  if (error instanceof SpillwayError) return error;
  if (error.validation) return invalidRequest(error);
  switch (error.code) {
    case 'FST_ERR_BAD_URL':
      return new SpillwayError(
        'invalid_request',
        `expected an address in percent-encoded UTF-8, got ${shortened(request.url)}`,
      );
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new SpillwayError(
        'body_too_large',
        `expected a body of at most ${request.server.initialConfig.bodyLimit} bytes, got ${request.headers['content-length'] ?? 'more'}; larger inputs are files (POST /v1/files)`,
      );
    case 'FST_FILES_LIMIT':
    case 'FST_FIELDS_LIMIT':
    case 'FST_PARTS_LIMIT':
      return new SpillwayError('invalid_request', 'expected one file in the field `file` and nothing else, got more');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new SpillwayError(
        'unsupported_media_type',
        `expected content-type application/json, got ${request.headers['content-type']}`,
      );
    default:
      if (error instanceof SyntaxError && error.statusCode === 400)
        return new SpillwayError('invalid_json', `expected a JSON body: ${error.message}`);
      if (error.statusCode === 403 || error.statusCode === 404) return notFound(request);
      if (error.statusCode && error.statusCode < 500)
        return new SpillwayError(
          'invalid_request',
          `expected a request that can be met, got one that is refused: ${error.message}`,
        );
      return new SpillwayError('internal', 'an unexpected error; the log of api has it under this request id', {
        cause: error,
      });
  }
}

function invalidRequest({ validation = [], validationContext = 'body' }: Partial<FastifyError>): SpillwayError {
  const errors = describeErrors(validation as Parameters<typeof describeErrors>[0]);
  const place = validationContext === 'querystring' ? 'query' : validationContext;
  return new SpillwayError(
    'invalid_request',
    `the ${place} is not as expected: ${errors.map(({ message }) => message).join('; ')}`,
    { errors },
  );
}
