import { IncomingMessage } from 'node:http';
import {
  BatchQuery,
  type BatchReply,
  BatchRequest,
  type BatchStreamReply,
  IdempotencyKey,
  SpillwayError,
} from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { App } from '../../app.ts';
import { createJsonReader } from '../../plugins/json-body.ts';
import type { Services } from '../../services.ts';
import { createTurns } from '../../turns.ts';
import { REPLAYED, tenantOf } from '../jobs/submit.ts';
import { problems, scoped } from '../schema.ts';
import { watchGrant } from '../tokens/mint.ts';
import { refusedOf, storeArray } from './array.ts';
import { readOnComplete } from './on-complete.ts';
import { storeStream } from './stream.ts';

const NDJSON = 'application/x-ndjson';

const schema = {
  operationId: 'submitBatch',
  summary: 'Submit many jobs',
  description:
    'An array, or a stream of lines (`application/x-ndjson`), one job a line, which are stored as they arrive. Answers 202 once all jobs that can be accepted are stored. A job that cannot is refused by itself, with the reason at its place in `jobs`, or with the number of its line in `problems`; the others are kept. The same array under the same `Idempotency-Key` answers 200 with the same batch and `Idempotent-Replayed: true`; where the first call was broken off, it stores what is missing. A stream takes no such key, because nobody can tell what it is before its end: give its lines an `idempotencyKey` each. A stream that breaks off leaves a batch of what has arrived.',
  tags: ['batches'],
  headers: Type.Object({ 'idempotency-key': Type.Optional(IdempotencyKey) }),
  querystring: BatchQuery,
  body: {
    content: {
      'application/json': { schema: BatchRequest },
      [NDJSON]: { schema: { description: 'one job a line, as in the array' } },
    },
  },
  response: {
    200: { description: 'The idempotency key was used before.', headers: REPLAYED, ...Type.Ref('BatchReply') },
    202: {
      description: 'What became of each job.',
      ...Type.Union([Type.Ref('BatchReply'), Type.Ref('BatchStreamReply')]),
    },
    ...problems(
      'invalid_request',
      'unknown_type',
      'invalid_input',
      'idempotency_key_reused',
      'invalid_json',
      'body_too_large',
      'unsupported_media_type',
      'request_timeout',
    ),
  },
};

export async function submitBatch(app: App, services: Services, maxLineBytes: number): Promise<void> {
  // A scope of its own: no other route takes streams.
  const submit: FastifyPluginAsync = async (scope) => registerSubmit(scope as App, services, maxLineBytes);
  await app.register(submit);
}

/**
 * Batches of a body that are stored at once. Of ten that came together (a hundred jobs each), other calls waited 56 ms at the
 * p99, and 29 with two at a time, for a fifth of the rate (`npm run bench -- spike`; 12 ms at rest).
 */
const STORED_AT_ONCE = { atOnce: 2, longestMs: 50 };

function registerSubmit(app: App, services: Services, maxLineBytes: number): void {
  const { catalogue, producer, tokens } = services;
  const readJson = createJsonReader(app);
  const inTurn = createTurns(STORED_AT_ONCE);
  app.addContentTypeParser(NDJSON, (_request, stream, done) => done(null, stream));

  // A serializer of a union tries its parts one after the other, at several times the cost of JSON's own.
  const route = { schema, config: scoped('submit'), serializerCompiler: () => JSON.stringify };
  app.post('/v1/batches', route, async (request, reply) => {
    tokens.assertReady();
    const { 'idempotency-key': key } = request.headers;
    const onComplete = await readOnComplete(catalogue, request.query);
    const tenant = tenantOf(request.caller);
    if (request.body instanceof IncomingMessage) {
      assertNoKey(key);
      const writer = producer.batches.open(producer.newBatch(), { tenant, onComplete });
      const tally = await storeStream(request.body, { services, writer, tenant, readJson, maxLineBytes });
      return accepted(reply, { ...tally, watch: watchGrant(tokens, request, { batches: [tally.id] }) });
    }
    const batch = { jobs: request.body, key, tenant, onComplete };
    const { id, jobs, replayed } = await inTurn(() => storeArray(services, batch));
    if (replayed) reply.header('idempotent-replayed', 'true');
    const refused = refusedOf(jobs);
    const watch = watchGrant(tokens, request, { batches: [id] });
    return accepted(reply, { id, accepted: jobs.length - refused, refused, jobs, watch }, replayed ? 200 : 202);
  });
}

function accepted(reply: FastifyReply, told: BatchReply | BatchStreamReply, code: 200 | 202 = 202): FastifyReply {
  return reply.code(code).header('location', `/v1/batches/${told.id}`).send(told);
}

function assertNoKey(key: string | undefined): void {
  if (key === undefined) return;
  throw new SpillwayError(
    'invalid_request',
    'expected no Idempotency-Key for a stream, which cannot be compared with another one before its end, got one; give each line an `idempotencyKey`',
  );
}
