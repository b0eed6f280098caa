import { createHash } from 'node:crypto';
import type { Job } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { JobParams, problems, scoped, WaitSeconds } from '../schema.ts';

const schema = {
  operationId: 'getJob',
  summary: 'Read a job',
  description: '`?wait=` answers as soon as the job has ended, and after that time in any case.',
  tags: ['jobs'],
  params: JobParams,
  querystring: Type.Object({ wait: Type.Optional(WaitSeconds) }, { additionalProperties: false }),
  response: {
    200: { description: 'The job.', ...Type.Ref('Job') },
    304: { description: 'The job is as the ETag says.', type: 'null' },
    ...problems('invalid_request', 'job_not_found'),
  },
};

/** A job that waits is the same for as long as its place is: an estimate differs each time that it is made. */
function lasting({ position, ...job }: Job): object {
  return { ...job, ahead: position?.ahead, reason: position?.reason };
}

export function getJob(app: App, { reader, waitForEnd }: Services): void {
  app.get('/v1/jobs/:id', { schema, config: scoped('read', 'watch') }, async ({ params, query, headers }, reply) => {
    const waitMs = Number(query.wait ?? 0) * 1000;
    const job = await (waitMs > 0 ? waitForEnd(params.id, waitMs) : reader.job(params.id));
    const etag = `"${createHash('sha1')
      .update(JSON.stringify(lasting(job)))
      .digest('base64url')}"`;
    reply.header('etag', etag);
    if (headers['if-none-match'] === etag) return reply.code(304).send();
    return job;
  });
}
