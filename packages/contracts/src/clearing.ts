import { type Static, Type } from '@spillway/schema';
import { CancelReason } from './cancellation.ts';
import { JobOptions } from './job.ts';

/** Body of `PATCH /v1/jobs/:id`: what is to change of a job that waits. */
export const JobPatch = Type.Object(
  {
    priority: JobOptions.properties.priority,
    delayMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 31_536_000_000,
        description: 'start at the earliest after this, from now on; 0 makes it due. At most a year',
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1, $id: 'JobPatch' },
);
export type JobPatch = Static<typeof JobPatch>;

/** Body of `POST /v1/queues/:name/drain`, which may also have none. */
export const DrainRequest = Type.Object(
  {
    delayed: Type.Optional(Type.Boolean({ description: 'also those that wait for their time; false by default' })),
    reason: Type.Optional(CancelReason),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'most jobs in this call; 10,000 by default' }),
    ),
  },
  { additionalProperties: false, $id: 'DrainRequest' },
);
export type DrainRequest = Static<typeof DrainRequest>;

export const DrainReply = Type.Object(
  {
    cancelled: Type.Integer({ description: 'jobs that this call ended' }),
    more: Type.Boolean({ description: 'whether there may be more of them: ask again' }),
  },
  { $id: 'DrainReply' },
);
export type DrainReply = Static<typeof DrainReply>;

/** Body of `POST /v1/queues/:name/clean`: which of the jobs that have ended are to be forgotten. */
export const CleanRequest = Type.Object(
  {
    state: Type.Enum(['completed', 'failed', 'cancelled']),
    olderThanMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 31_536_000_000,
        description: 'that ended so long ago; 0 (default) takes all',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'most jobs in this call; 1,000 by default' }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 500, description: '`cursor` of the reply before' })),
  },
  { additionalProperties: false, $id: 'CleanRequest' },
);
export type CleanRequest = Static<typeof CleanRequest>;

export const CleanReply = Type.Object(
  {
    removed: Type.Integer({ description: 'jobs that this call forgot' }),
    more: Type.Boolean({ description: 'whether there may be more of them: ask again with `cursor`' }),
    cursor: Type.Optional(Type.String()),
  },
  { $id: 'CleanReply' },
);
export type CleanReply = Static<typeof CleanReply>;
