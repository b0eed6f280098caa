import { type Static, Type } from '@spillway/schema';
import { SpillwayError } from './errors.ts';
import { JobError } from './job.ts';
import { JobState } from './state.ts';
import { WatchGrant } from './tokens.ts';

/**
 * Lines that one stream may bring. About 60 MB of Redis and ten seconds of its time; what is larger is several batches,
 * whose counts and sweeps stay small.
 */
export const BATCH_LINES_MAX = 100_000;

/** Problems that the reply to a stream names; of more, how many there were is told. 1,000 are about 150 KB. */
export const BATCH_PROBLEMS_MAX = 1000;

const counts = {
  total: Type.Integer({ description: 'jobs that the batch has stored; the sum of the five below' }),
  open: Type.Integer({ description: 'those that have not ended' }),
  completed: Type.Integer(),
  failed: Type.Integer(),
  cancelled: Type.Integer(),
  removed: Type.Integer({
    description: 'removed before they ended; those removed after it stay counted as they ended',
  }),
};

/** How the jobs of a batch stand. */
export const BatchCounts = /* @__PURE__ */ Type.Object(counts);
export type BatchCounts = Static<typeof BatchCounts>;

/** A batch as a whole. */
export const Batch = /* @__PURE__ */ Type.Object(
  {
    id: Type.String(),
    ...counts,
    active: Type.Integer({ description: 'of the open ones: those that a worker runs at this moment' }),
    refused: Type.Integer({ description: 'jobs that were not stored, each with a reason that its submitter was told' }),
    sealed: Type.Boolean({ description: 'no more jobs come: all of it has arrived, or its submitter is gone' }),
    createdAt: Type.String({ format: 'date-time' }),
    sealedAt: Type.Optional(Type.String({ format: 'date-time' })),
    finishedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'when its last job ended; absent while one has not' }),
    ),
    onComplete: Type.Optional(
      Type.Object({
        type: Type.String({ description: 'of the job that is submitted once all have ended' }),
        job: Type.Optional(Type.String({ description: 'its id, once that has happened' })),
      }),
    ),
  },
  { $id: 'Batch' },
);
export type Batch = Static<typeof Batch>;

/** What is to happen once the batch is sealed and all of its jobs have ended. */
export const BatchQuery = Type.Object(
  {
    onComplete: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'the type of a job that is then submitted, once, with the input `{batch, counts}`',
      }),
    ),
    webhook: Type.Optional(
      Type.String({
        pattern: '^https?://',
        maxLength: 2048,
        'x-expected': 'an http(s) URL',
        description: 'an address that is then told `{batch, counts}`, by a job of the type `http.deliver`',
      }),
    ),
  },
  { additionalProperties: false },
);
export type BatchQuery = Static<typeof BatchQuery>;

/** One line of a stream that was not stored. Lines are numbered from 1, as editors do. */
const LineProblem = Type.Object({
  line: Type.Integer(),
  code: Type.String(),
  message: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }))),
});

/** The reply to a batch that came as a stream of lines. */
export const BatchStreamReply = Type.Object(
  {
    id: Type.String({ description: 'names the batch; each of its jobs carries it' }),
    lines: Type.Integer({ description: 'lines that were read; empty ones are passed over' }),
    accepted: Type.Integer(),
    replayed: Type.Integer({ description: 'of those: jobs that were there before, by their own key or by dedupe' }),
    refused: Type.Integer(),
    problems: Type.Array(LineProblem, { description: `the first ${BATCH_PROBLEMS_MAX} of them` }),
    watch: WatchGrant,
  },
  { $id: 'BatchStreamReply' },
);
export type BatchStreamReply = Static<typeof BatchStreamReply>;

export const BatchPageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]?|100)$',
        description: '1 to 100; 20 by default',
        'x-expected': 'a whole number from 1 to 100',
      }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 500, description: '`next` of the page before' })),
  },
  { additionalProperties: false },
);
export type BatchPageQuery = Static<typeof BatchPageQuery>;

/** Body of `POST /v1/batches/:id/retry-failed`, which may also have none. */
export const BatchRetryRequest = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'most jobs in this call; 1000 by default' }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 500, description: '`cursor` of the reply before' })),
  },
  { additionalProperties: false },
);
export type BatchRetryRequest = Static<typeof BatchRetryRequest>;

export const BatchCancelReply = Type.Object(
  {
    cancelled: Type.Integer({ description: 'jobs that ended with this call' }),
    stopping: Type.Integer({ description: 'jobs that a worker runs, and that are told to stop' }),
  },
  { $id: 'BatchCancelReply' },
);
export type BatchCancelReply = Static<typeof BatchCancelReply>;

/** A line of `GET /v1/batches/:id/results`. */
export const BatchResult = Type.Object(
  {
    id: Type.String(),
    state: JobState,
    result: Type.Optional(Type.Unknown()),
    error: Type.Optional(JobError),
  },
  { $id: 'BatchResult' },
);
export type BatchResult = Static<typeof BatchResult>;

export function unknownBatch(id: string): SpillwayError {
  return new SpillwayError('batch_not_found', `expected the id of a stored batch, got ${JSON.stringify(id)}`);
}
