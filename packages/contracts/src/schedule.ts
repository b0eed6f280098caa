import { type Static, Type } from '@spillway/schema';
import { JobError, JobOptions } from './job.ts';

const Timestamp = Type.String({ format: 'date-time' });

/** Schedules in all. Each is looked at when it is due, and a thousand that are due together are a second's work. */
export const SCHEDULES_MAX = 1000;
/** Ticks of the past that one catch-up may bring back: an outage of a day must not become a day's jobs at once. */
export const CATCH_UP_MAX = 100;
/** How far ahead the next tick of a schedule may be: one that is further away is most likely a mistake. */
export const NEXT_TICK_MAX_YEARS = 10;

export const ScheduleName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  'x-expected': '1 to 100 letters, digits, dots, dashes and underscores, a letter or digit first',
  description: 'the schedule’s name',
});

/** Body of `PUT /v1/schedules/:name`: what it submits, and when. Exactly one of `cron` and `everyMs`. */
export const ScheduleRequest = Type.Object(
  {
    type: Type.String({ minLength: 1, maxLength: 64 }),
    input: Type.Optional(Type.Unknown()),
    options: Type.Optional(JobOptions),
    cron: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'five fields, six where seconds come first, or @hourly, @daily, @weekly, @monthly, @yearly',
      }),
    ),
    timezone: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'whose clock cron is read by, an IANA name such as Europe/Berlin; UTC by default',
      }),
    ),
    everyMs: Type.Optional(
      Type.Integer({
        minimum: 1000,
        maximum: 31_536_000_000,
        description: 'counted from startAt, or else from the moment that this was put',
      }),
    ),
    startAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'no tick is earlier; the first one of everyMs' }),
    ),
    endAt: Type.Optional(Type.String({ format: 'date-time', description: 'no tick is later' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'so many ticks, then none' })),
    overlap: Type.Optional(
      Type.Enum(['skip', 'allow', 'queue-one'], {
        description:
          'what a tick does while the job before it has not ended. skip (default): nothing. allow: submits all the same. queue-one: submits once that job has ended, one however many ticks there were',
      }),
    ),
    catchUp: Type.Optional(
      Type.Enum(['last', 'none', 'all'], {
        description: `which of the ticks that passed while no api ran are made up for. last (default): the latest. none: none of them. all: the latest ${CATCH_UP_MAX}`,
      }),
    ),
  },
  { additionalProperties: false, $id: 'ScheduleRequest' },
);
export type ScheduleRequest = Static<typeof ScheduleRequest>;

/** What became of a tick. */
export const TickOutcome = Type.Object({
  at: Type.String({ format: 'date-time', description: 'the tick' }),
  outcome: Type.Enum(['submitted', 'skipped', 'queued', 'failed'], {
    description:
      'skipped and queued: a job of the schedule had not ended, and is `job`. failed: nothing could be submitted, and `error` says why',
  }),
  job: Type.Optional(Type.String()),
  error: Type.Optional(JobError),
});
export type TickOutcome = Static<typeof TickOutcome>;

export const Schedule = Type.Object(
  {
    name: Type.String(),
    ...ScheduleRequest.properties,
    tenant: Type.Optional(Type.String({ description: 'whose jobs they are: the name of the key that put it' })),
    paused: Type.Boolean(),
    next: Type.Array(Timestamp, {
      description: 'the next ticks, five at most, in lists one; none while it is paused or has come to its end',
    }),
    ticks: Type.Integer({ description: 'ticks so far, since it was put or changed' }),
    last: Type.Optional(TickOutcome),
    createdAt: Timestamp,
    changedAt: Timestamp,
  },
  { $id: 'Schedule' },
);
export type Schedule = Static<typeof Schedule>;

export const ScheduleList = Type.Object(
  {
    schedules: Type.Array(Type.Ref('Schedule')),
    next: Type.Optional(Type.String({ description: 'pass as ?cursor= for the next page; absent on the last' })),
  },
  { $id: 'ScheduleList' },
);
export interface ScheduleList {
  schedules: Schedule[];
  next?: string;
}

export const ScheduleListQuery = Type.Object(
  {
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
export type ScheduleListQuery = Static<typeof ScheduleListQuery>;

/** What pausing or resuming found and did. `done` is false where there was nothing to do. */
export const ScheduleControlReply = Type.Object(
  { done: Type.Boolean(), schedule: Type.Ref('Schedule') },
  { $id: 'ScheduleControlReply' },
);
export interface ScheduleControlReply {
  done: boolean;
  schedule: Schedule;
}
