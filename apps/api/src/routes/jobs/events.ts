import { EventsQuery } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import { createForward } from '../../forward.ts';
import { JobParams, problems } from '../schema.ts';

const schema = {
  operationId: 'readEvents',
  summary: "Follow a job's events",
  description:
    'Server-Sent Events: first `snapshot`, then `events` with what changed since, in the end the stream closes; `removed` where the job was deleted. ' +
    'Each message’s `id` says where the reader stands: as `Last-Event-ID` or `?after=` it continues the stream, log and output without loss or repeat. ' +
    'Who has seen the end already gets 204.',
  tags: ['jobs'],
  params: JobParams,
  querystring: EventsQuery,
  headers: Type.Object({
    'last-event-id': Type.Optional(Type.String({ description: 'the `id` of the last message that arrived' })),
  }),
  response: {
    200: {
      description: 'The stream; with `?wait=0` the snapshot alone.',
      content: {
        'text/event-stream': { schema: Type.String() },
        'application/json': { schema: Type.Ref('SnapshotPage') },
      },
    },
    204: { description: 'The reader has all of it, and the job has ended: no need to ask again.', type: 'null' },
    ...problems('invalid_request', 'job_not_found'),
  },
};

/** Status has the events, and decides who may read them: without a scope of its own, the route only passes on. */
export function readEvents(app: App, { statusUrl }: { statusUrl: string }): void {
  const forward = createForward(app, statusUrl);
  app.get('/v1/jobs/:id/events', { schema, exposeHeadRoute: false }, forward);
}
