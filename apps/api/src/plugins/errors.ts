import { SpillwayError, toProblem } from '@spillway/contracts';
import { describeErrors } from '@spillway/runtime';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.ts';

/** Every error leaves as an RFC 9457 problem document. */
export function registerErrors(app: App): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const known = toKnown(error, request);
    if (known.code === 'internal')
      request.log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'request failed');
    return sendProblem(reply, request, known);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      request,
      new SpillwayError(
        'not_found',
        `expected an address that is in /openapi.json, got ${request.method} ${request.url}`,
      ),
    ),
  );
}

function sendProblem(reply: FastifyReply, request: FastifyRequest, error: SpillwayError): FastifyReply {
  const problem = toProblem(error, request.id);
  if (error.code === 'unavailable') reply.header('retry-after', '1');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  // The route's own serializer is for its own replies; a problem is small.
  return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem);
}

function toKnown(error: Error & Partial<FastifyError>, request: FastifyRequest): SpillwayError {
  if (error instanceof SpillwayError) return error;
  if (error.validation) return invalidRequest(error);
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new SpillwayError('invalid_json', `expected a JSON body: ${error.message}`);
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
      if (error.statusCode && error.statusCode < 500) return new SpillwayError('invalid_request', error.message);
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
