import { Readable } from 'node:stream';
import { unknownBatch } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { BatchParams, problems, scoped } from '../schema.ts';

const schema = {
  operationId: 'readBatchResults',
  summary: 'Read what became of the jobs of a batch',
  description:
    'A stream of lines, each a BatchResult: one queue after the other, in each by the time of submission. Jobs that have not ended are there with their state, those that are no longer kept are not.',
  tags: ['batches'],
  params: BatchParams,
  response: {
    200: {
      description: 'One line for each job.',
      content: { 'application/x-ndjson': { schema: Type.Ref('BatchResult') } },
    },
    ...problems('batch_not_found'),
  },
};

export function readResults(app: App, { reader }: Services): void {
  app.get('/v1/batches/:id/results', { schema, config: scoped('read', 'batch') }, async ({ params }, reply) => {
    if (!(await reader.batch(params.id))) throw unknownBatch(params.id);
    return reply.type('application/x-ndjson').send(Readable.from(linesOf(reader, params.id)));
  });
}

/** A reader that is slow, or gone, is not read ahead of. */
async function* linesOf(reader: Reader, batch: string): AsyncGenerator<string, void> {
  for await (const results of reader.results(batch)) {
    if (results.length > 0) yield `${results.map((result) => JSON.stringify(result)).join('\n')}\n`;
  }
}
