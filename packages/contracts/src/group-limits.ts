import { type Static, Type } from '@spillway/schema';

/** Starts in a window of time; the window opens with its first start. */
export const Rate = Type.Object(
  {
    max: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'starts in a window' }),
    perMs: Type.Integer({ minimum: 1, maximum: 3_600_000, description: 'length of the window, at most an hour' }),
  },
  { additionalProperties: false },
);

/** A group's share of its queue, and what it may use of it at most. What is absent is the default's, then 1 and no cap. */
export const GroupLimits = Type.Object(
  {
    weight: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'a group with weight 3 starts three jobs where others start one',
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'jobs at once, over all workers' }),
    ),
    rate: Type.Optional(Rate),
  },
  { additionalProperties: false },
);
export type GroupLimits = Static<typeof GroupLimits>;

/** A group's name: a customer's, say. It is repeated in each of its jobs. */
export const GroupName = Type.String({ minLength: 1, maxLength: 128 });

/** Groups that may have limits of their own: a change writes all of them in one step, about a microsecond each. */
const NAMED_MAX = 10_000;

/** The groups' part of a queue's limits. */
export const QueueGroupLimits = Type.Object(
  {
    default: Type.Optional(GroupLimits),
    byName: Type.Optional(
      Type.Record(Type.String(), GroupLimits, {
        propertyNames: GroupName,
        maxProperties: NAMED_MAX,
        description: 'by the name of the group; what an entry leaves out is the default’s',
      }),
    ),
  },
  { additionalProperties: false },
);
export type QueueGroupLimits = Static<typeof QueueGroupLimits>;

/** A group that has jobs in line. */
export const GroupInfo = Type.Object({
  name: Type.String(),
  waiting: Type.Integer({ description: 'jobs in its line' }),
  running: Type.Integer({
    description: 'jobs that were let go and have not ended: they run, or are among the next to start',
  }),
  weight: Type.Integer(),
  concurrency: Type.Optional(Type.Integer()),
  rate: Type.Optional(Rate),
});
export type GroupInfo = Static<typeof GroupInfo>;

/** The groups of a queue that have jobs in line. */
export const QueueGroups = Type.Object({
  withJobs: Type.Integer({ description: 'how many groups have jobs in line' }),
  longest: Type.Array(GroupInfo, { description: 'the first hundred of them, longest line first' }),
});
export type QueueGroups = Static<typeof QueueGroups>;
