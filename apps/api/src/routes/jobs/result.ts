import { SpillwayError } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped, WaitSeconds } from '../schema.ts';

const schema = {
  operationId: 'getResult',
  summary: "Read a job's result",
  description:
    'The result alone, as the handler returned it. A job that did not complete answers with a problem that says why.',
  tags: ['jobs'],
  params: JobParams,
  querystring: Type.Object({ wait: Type.Optional(WaitSeconds) }, { additionalProperties: false }),
  response: {
    200: { description: 'What the handler returned.', ...Type.Unknown() },
    ...problems('invalid_request', 'job_not_found', 'not_finished', 'job_final'),
  },
};

export function getResult(app: App, { reader, waitForEnd }: Services): void {
  app.get('/v1/jobs/:id/result', { schema, config: scoped('read', 'watch') }, async ({ params, query }, reply) => {
    const waitMs = Number(query.wait ?? 0) * 1000;
    const job = await (waitMs > 0 ? waitForEnd(params.id, waitMs) : reader.job(params.id));
    if (job.state === 'completed')
      return reply
        .type('application/json')
        .serializer(JSON.stringify)
        .send(job.result ?? null);
    if (job.error)
      throw new SpillwayError(
        'job_final',
        `expected a completed job, got one that ${job.state === 'failed' ? 'failed' : 'was cancelled'}: ${job.error.message} (${job.error.code})`,
      );
    throw new SpillwayError('not_finished', `expected a completed job, got one that is ${job.state}`);
  });
}
