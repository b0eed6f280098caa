import { type Static, Type } from '@spillway/schema';
import { CancelReason } from './cancellation.ts';
import { QueueGroups } from './group-limits.ts';
import { Job, JobOptions, LogLine, OutputChunk, Snapshot } from './job.ts';
import { QueueLimits } from './queue-limits.ts';
import { JobState } from './state.ts';
import { WatchGrant } from './tokens.ts';

/** Body of `POST /v1/jobs`. */
export const SubmitRequest = Type.Object(
  {
    type: Type.String({ minLength: 1, maxLength: 64 }),
    input: Type.Optional(Type.Unknown()),
    options: Type.Optional(JobOptions),
  },
  { additionalProperties: false, $id: 'SubmitRequest' },
);
export type SubmitRequest = Static<typeof SubmitRequest>;

/** What a client calls a request by, so that repeating it has no further effect. */
export const IdempotencyKey = Type.String({
  pattern: '^[\\x21-\\x7e]{1,255}$',
  'x-expected': '1 to 255 visible ASCII characters',
  description: 'the same key and body is the same job; another body under the key is refused',
});

const Links = Type.Object({
  self: Type.String(),
  result: Type.String(),
  log: Type.String(),
  output: Type.String(),
});

/** What a submit found in place of a new job; absent where it made one. */
const Found = {
  deduplicated: Type.Optional(
    Type.Boolean({ description: 'this is another job, which stands for the submitted one by its dedupe key' }),
  ),
  removed: Type.Optional(
    Type.Boolean({ description: 'the job is no longer stored; the other fields say how it was accepted' }),
  ),
};

const { input: _known, ...jobWithoutInput } = Job.properties;

/**
 * Reply to a submit: the job without its input, which the submitter knows, where to go from here, and a token that lets
 * whoever is given it watch this job.
 */
export const SubmitReply = Type.Object(
  { ...jobWithoutInput, ...Found, links: Links, watch: WatchGrant },
  { $id: 'SubmitReply' },
);
export type SubmitReply = Static<typeof SubmitReply>;

/** Reply to a submit that asked for `Prefer: return=minimal`: nothing that the submitter knows already, and no token. */
export const SubmitReceipt = Type.Object({ id: Type.String(), state: JobState, ...Found }, { $id: 'SubmitReceipt' });
export type SubmitReceipt = Static<typeof SubmitReceipt>;

/** One job of a batch. */
export const BatchLine = Type.Object(
  { ...SubmitRequest.properties, idempotencyKey: Type.Optional(IdempotencyKey) },
  { additionalProperties: false },
);
export type BatchLine = Static<typeof BatchLine>;

/** Jobs that one batch may bring. */
export const BATCH_JOBS_MAX = 1000;

/** Body of `POST /v1/batches`. Each job is checked by itself, so that a bad one does not hold up the others. */
export const BatchRequest = Type.Array(Type.Unknown(), {
  minItems: 1,
  maxItems: BATCH_JOBS_MAX,
  $id: 'BatchRequest',
  description: 'SubmitRequests, each of which may have an `idempotencyKey` of its own',
});
export type BatchRequest = Static<typeof BatchRequest>;

/** What became of one job of a batch, in the order in which they came. */
export const BatchEntry = Type.Union([
  Type.Object({
    id: Type.String(),
    replayed: Type.Optional(Type.Boolean({ description: 'its own idempotency key was used before' })),
    deduplicated: Found.deduplicated,
  }),
  Type.Object({
    error: Type.Object({
      code: Type.String(),
      message: Type.String(),
      retryAfterS: Type.Optional(
        Type.Integer({ description: 'with `queue_full`: seconds after which it is worth trying again' }),
      ),
      errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }))),
    }),
  }),
]);
export type BatchEntry = Static<typeof BatchEntry>;

export const BatchReply = Type.Object(
  {
    id: Type.String({ description: 'names the batch; each of its jobs carries it' }),
    accepted: Type.Integer(),
    refused: Type.Integer(),
    jobs: Type.Array(BatchEntry),
    watch: WatchGrant,
  },
  { $id: 'BatchReply' },
);
export type BatchReply = Static<typeof BatchReply>;

export const JobList = Type.Object(
  {
    jobs: Type.Array(Type.Ref('Job')),
    next: Type.Optional(Type.String({ description: 'pass as ?cursor= for the next page; absent on the last' })),
  },
  { $id: 'JobList' },
);
export interface JobList {
  jobs: Job[];
  next?: string;
}

export const JobListQuery = Type.Object(
  {
    state: Type.Optional(JobState),
    queue: Type.Optional(Type.String({ maxLength: 64 })),
    type: Type.Optional(Type.String({ maxLength: 64 })),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    batch: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    schedule: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]?|100)$',
        description: '1 to 100; 20 by default',
        'x-expected': 'a whole number from 1 to 100',
      }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false },
);
export type JobListQuery = Static<typeof JobListQuery>;

/** Part of a job's log. `first` is the number of the oldest line that is still kept. */
export const LogPage = Type.Object(
  { lines: Type.Array(LogLine), first: Type.Integer(), next: Type.Integer() },
  { $id: 'LogPage' },
);
export type LogPage = Static<typeof LogPage>;

export const OutputPage = Type.Object(
  { chunks: Type.Array(OutputChunk), first: Type.Integer(), next: Type.Integer() },
  { $id: 'OutputPage' },
);
export type OutputPage = Static<typeof OutputPage>;

/** What a stream of a job's events may be asked for. An `EventSource` cannot send headers; everybody else sends these. */
export const EventsQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: 700,
        description: 'the `id` of the last message that arrived; the header `Last-Event-ID` goes before it',
      }),
    ),
    ticket: Type.Optional(Type.String({ maxLength: 200, description: 'a one-use ticket, in place of a key' })),
    wait: Type.Optional(
      Type.String({
        pattern: '^0$',
        description: '0 answers with the snapshot alone, as JSON, and does not follow',
        'x-expected': '0',
      }),
    ),
  },
  { additionalProperties: false },
);
export type EventsQuery = Static<typeof EventsQuery>;

/** A job's snapshot on its own; `next` is what to pass as `after` for what follows. */
export const SnapshotPage = Type.Object(
  { ...Snapshot.properties, job: Type.Ref('Job'), next: Type.String() },
  { $id: 'SnapshotPage' },
);
export interface SnapshotPage extends Snapshot {
  next: string;
}

/** Body of `POST /v1/jobs/:id/cancel`, which may also have none. */
export const CancelRequest = Type.Object(
  { reason: Type.Optional(CancelReason) },
  { additionalProperties: false, $id: 'CancelRequest' },
);
export type CancelRequest = Static<typeof CancelRequest>;

/** What a control call found and did. `done` is false where there was nothing left to do. */
export const ControlReply = Type.Object({ done: Type.Boolean(), job: Type.Ref('Job') }, { $id: 'ControlReply' });
export interface ControlReply {
  done: boolean;
  job: Job;
}

/** Body of `POST /v1/queues/:name/retry-failed`: which of the failed jobs, all of them where nothing is said. */
export const RetryFailedRequest = Type.Object(
  {
    type: Type.Optional(Type.String({ maxLength: 64 })),
    code: Type.Optional(
      Type.String({ maxLength: 64, description: 'the code of their error; `cancelled` retries cancelled jobs' }),
    ),
    tag: Type.Optional(Type.String({ maxLength: 100 })),
    endedAfter: Type.Optional(Type.String({ format: 'date-time', description: 'that ended then or later' })),
    endedBefore: Type.Optional(Type.String({ format: 'date-time', description: 'that ended earlier' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'most jobs in this call; 100 by default' }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 500, description: '`cursor` of the reply before' })),
  },
  { additionalProperties: false, $id: 'RetryFailedRequest' },
);
export type RetryFailedRequest = Static<typeof RetryFailedRequest>;

export const RetryFailedReply = Type.Object(
  {
    retried: Type.Integer({ description: 'jobs that wait again' }),
    more: Type.Boolean({ description: 'whether there may be more of them: ask again with `cursor`' }),
    cursor: Type.Optional(Type.String()),
  },
  { $id: 'RetryFailedReply' },
);
export type RetryFailedReply = Static<typeof RetryFailedReply>;

export const QueueInfo = Type.Object(
  {
    name: Type.String(),
    paused: Type.Boolean(),
    counts: Type.Object({
      waiting: Type.Integer(),
      delayed: Type.Integer(),
      blocked: Type.Integer(),
      active: Type.Integer(),
      completed: Type.Integer(),
      failed: Type.Integer({ description: 'failed and cancelled together' }),
    }),
    workers: Type.Integer({ description: 'workers alive that serve this queue' }),
    types: Type.Array(Type.String()),
    // Without the name, which stands for one schema only.
    limits: Type.Optional(Type.Object(QueueLimits.properties)),
    groups: Type.Optional({
      ...QueueGroups,
      description: 'where jobs of groups wait; only when one queue is read',
    }),
  },
  { $id: 'QueueInfo' },
);
export type QueueInfo = Static<typeof QueueInfo>;

export const WorkerInfo = Type.Object(
  {
    id: Type.String(),
    host: Type.String(),
    pid: Type.Integer(),
    queues: Type.Array(Type.String()),
    types: Type.Array(Type.String()),
    concurrency: Type.Record(Type.String(), Type.Integer(), { description: 'jobs at once, by queue' }),
    running: Type.Integer({ description: 'jobs that it runs at the moment' }),
    blocked: Type.Optional(
      Type.Object(
        {
          times: Type.Integer(),
          latest: Type.Object({
            type: Type.Optional(Type.String({ description: 'whose handler did it, where that could be told' })),
            jobs: Type.Array(Type.String(), { description: 'those that may have done it' }),
            ms: Type.Integer(),
            at: Type.String({ format: 'date-time', description: 'when it began' }),
          }),
        },
        { description: 'when handlers kept its event loop from turning, so that it could not renew leases' },
      ),
    ),
    startedAt: Type.String({ format: 'date-time' }),
    seenAt: Type.String({ format: 'date-time' }),
    version: Type.String(),
  },
  { $id: 'WorkerInfo' },
);
export type WorkerInfo = Static<typeof WorkerInfo>;

/** A stored file. `ref` is what a job's input takes. */
export const FileInfo = Type.Object(
  {
    id: Type.String(),
    ref: Type.String({ description: 'file:<id>, to be used in an input' }),
    url: Type.String(),
    name: Type.String(),
    contentType: Type.String(),
    sizeBytes: Type.Integer(),
    createdAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'FileInfo' },
);
export type FileInfo = Static<typeof FileInfo>;
