import { type Static, Type } from '@spillway/schema';
import { Cancellation } from './cancellation.ts';
import { GroupName } from './group-limits.ts';
import { PlaceInLine } from './place-in-line.ts';
import { JobState } from './state.ts';

/** ISO 8601 in UTC with milliseconds. */
const Timestamp = Type.String({ format: 'date-time' });

/** Latest value of how far a job is; later values replace earlier ones. */
export const Progress = Type.Object({
  fraction: Type.Number({ minimum: 0, maximum: 1 }),
  message: Type.Optional(Type.String()),
});
export type Progress = Static<typeof Progress>;

/** Why a job failed or was cancelled. `code` is stable (docs/errors.md), `message` is for people. */
export const JobError = Type.Object({
  code: Type.String(),
  message: Type.String(),
});
export type JobError = Static<typeof JobError>;

/**
 * An attempt that ended without completing the job: it failed, its worker was lost, or it was cancelled. Attempts that a
 * stopping worker handed back did nothing wrong and leave no record, so numbers may have gaps.
 */
export const AttemptRecord = Type.Object({
  attempt: Type.Integer({ minimum: 1 }),
  worker: Type.Optional(Type.String()),
  startedAt: Type.Optional(Timestamp),
  endedAt: Timestamp,
  error: JobError,
});
export type AttemptRecord = Static<typeof AttemptRecord>;

/**
 * Where a watcher stands. `pos` is the position in the queue's event stream up to which the snapshot is complete;
 * `log` and `output` are the numbers that the next log line and output chunk will carry. `epoch` names one life of Redis'
 * data: after a restart, which may have lost the last writes, numbers may be given out a second time, so a cursor of
 * another epoch vouches for nothing and is answered with the whole job.
 */
export const Cursor = Type.Object({
  pos: Type.String({ pattern: '^\\d{1,20}-\\d{1,20}$' }),
  log: Type.Integer({ minimum: 0 }),
  output: Type.Integer({ minimum: 0 }),
  epoch: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
export type Cursor = Static<typeof Cursor>;

/** A job as the world sees it: its whole public state, without log and output. */
export const Job = Type.Object(
  {
    id: Type.String({ description: '<queue>.<ulid>; never changes, never used twice' }),
    type: Type.String(),
    queue: Type.String(),
    state: JobState,
    progress: Type.Optional(Progress),
    attempt: Type.Integer({ minimum: 0, description: 'the attempt that runs or ran last; 0 before the first' }),
    attempts: Type.Integer({
      minimum: 1,
      description:
        'how many attempts the job has in all: those that it was given, and one more for each that a lost or stopping worker did not finish',
    }),
    priority: Type.Optional(Type.Integer()),
    group: Type.Optional(Type.String({ description: 'the group whose turns it takes' })),
    tags: Type.Optional(Type.Array(Type.String())),
    batch: Type.Optional(Type.String({ description: 'the batch that it was submitted with' })),
    tenant: Type.Optional(
      Type.String({ description: 'the name of the key that submitted it, where keys are configured' }),
    ),
    schedule: Type.Optional(Type.String({ description: 'the schedule that submitted it' })),
    parent: Type.Optional(Type.String({ description: 'the job of its flow that waits for this one' })),
    children: Type.Optional(
      Type.Array(Type.String(), {
        description: 'the jobs that it waited or waits for, in the order of their submission; lists leave them out',
      }),
    ),
    worker: Type.Optional(Type.String({ description: 'the worker that runs or ran the latest attempt' })),
    createdAt: Timestamp,
    startedAt: Type.Optional(Timestamp),
    finishedAt: Type.Optional(Timestamp),
    runAt: Type.Optional(Type.String({ format: 'date-time', description: 'when a delayed job becomes due' })),
    position: Type.Optional(PlaceInLine),
    input: Type.Optional(Type.Unknown()),
    result: Type.Optional(Type.Unknown()),
    error: Type.Optional(JobError),
    cancel: Type.Optional(Cancellation),
    history: Type.Optional(
      Type.Array(AttemptRecord, {
        description: 'the last ten attempts that ended without completing the job, oldest first; not in lists',
      }),
    ),
  },
  { $id: 'Job' },
);
export type Job = Static<typeof Job>;

/** A numbered log line. Numbers start at 0 and are dense. */
export const LogLine = Type.Object({ n: Type.Integer({ minimum: 0 }), line: Type.String() }, { $id: 'LogLine' });
export type LogLine = Static<typeof LogLine>;

/** A numbered chunk of partial result. Numbers start at 0 and are dense. */
export const OutputChunk = Type.Object(
  { n: Type.Integer({ minimum: 0 }), chunk: Type.Unknown() },
  { $id: 'OutputChunk' },
);
export type OutputChunk = Static<typeof OutputChunk>;

/** The job at one position of its queue's event stream, with the log and output that follow the watcher's cursor. */
export const Snapshot = Type.Object({
  job: Job,
  cursor: Cursor,
  log: Type.Array(LogLine),
  output: Type.Array(OutputChunk),
});
export type Snapshot = Static<typeof Snapshot>;

/** A business key that stands for one job at a time. Keys are scoped by tenant and type. */
export const Dedupe = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 255 }),
    mode: Type.Optional(
      Type.Enum(['simple', 'throttle', 'debounce', 'keep-last'], {
        description:
          'simple (default): one job until it has ended. throttle: one in ttlMs. debounce: runs once ttlMs have passed without another, with the last input. keep-last: one that runs and one that waits, with the last input',
      }),
    ),
    ttlMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 31_536_000_000, description: 'for throttle and debounce, which need it' }),
    ),
  },
  { additionalProperties: false },
);
export type Dedupe = Static<typeof Dedupe>;

/** What a submitter may ask for beside type and input; each option overrides the type's default. */
export const JobOptions = Type.Object(
  {
    delayMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 31_536_000_000,
        description: 'start at the earliest after this; at most a year',
      }),
    ),
    runAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'start at the earliest then, at most ten years ahead; at once where it has passed. Not beside delayMs',
      }),
    ),
    priority: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 2_097_151, description: '0 (default) runs first, larger numbers later' }),
    ),
    attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    backoff: Type.Optional(
      Type.Object(
        {
          type: Type.Enum(['fixed', 'exponential']),
          delayMs: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
          maxDelayMs: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 86_400_000, description: 'no pause is longer; a day where absent' }),
          ),
          jitter: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, description: 'how much of a pause may be taken off at random' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 86_400_000, description: 'an attempt that runs longer fails' }),
    ),
    ttlMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 31_536_000_000,
        description:
          'not worth starting later than this after it was submitted or became due: it then fails with `expired`',
      }),
    ),
    tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 20, uniqueItems: true })),
    dedupe: Type.Optional(Dedupe),
    group: Type.Optional({
      ...GroupName,
      description: 'jobs of different groups take turns; priority counts inside the group',
    }),
  },
  { additionalProperties: false, $id: 'JobOptions' },
);
export type JobOptions = Static<typeof JobOptions>;
