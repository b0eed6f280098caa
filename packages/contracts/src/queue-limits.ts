import { type Static, type TProperties, type TSchema, Type } from '@spillway/schema';
import { QueueGroupLimits, Rate } from './group-limits.ts';

const closed = <T extends TProperties>(properties: T) => Type.Object(properties, { additionalProperties: false });

/** What becomes of a job that the queue, or its tenant's or its group's part of it, has no room for. */
export const FullPolicy = Type.Enum(['reject', 'shed', 'park'], {
  description:
    'reject (default): refused with `queue_full`. shed: takes the place of the last waiting job of the lowest priority, where that is lower. park: accepted, but held back until there is room',
});
export type FullPolicy = Static<typeof FullPolicy>;

/** Jobs that wait: as many as Redis has memory for, by far. */
const Depth = Type.Integer({ minimum: 1, maximum: 100_000_000 });

const WaitMs = Type.Integer({ minimum: 1, maximum: 31_536_000_000 });

const LIMITS = {
  concurrency: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'jobs at once, over all workers' }),
  rate: Rate,
  depth: closed({
    max: { ...Depth, description: 'jobs that wait; those that are delayed do not count' },
    policy: Type.Optional(FullPolicy),
  }),
  oldestWaitMs: closed({
    max: { ...WaitMs, description: 'how long the first in line may have waited' },
    policy: Type.Optional(FullPolicy),
  }),
  tenants: closed({
    depth: Type.Optional({ ...Depth, description: 'jobs of one tenant that have not been started' }),
    oldestWaitMs: Type.Optional({ ...WaitMs, description: 'how long the first of these may have waited' }),
    policy: Type.Optional(FullPolicy),
  }),
  groups: closed({
    depth: Type.Optional({ ...Depth, description: 'jobs in the line of one group' }),
    oldestWaitMs: Type.Optional({ ...WaitMs, description: 'how long the first in that line may have waited' }),
    policy: Type.Optional(FullPolicy),
    ...QueueGroupLimits.properties,
  }),
};

const orNull = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

/** Body of `PUT /v1/queues/:name/limits`: all limits of a queue. What is null or absent has no limit. */
export const QueueLimitsRequest = Type.Object(
  {
    concurrency: orNull(LIMITS.concurrency),
    rate: orNull(LIMITS.rate),
    depth: orNull(LIMITS.depth),
    oldestWaitMs: orNull(LIMITS.oldestWaitMs),
    tenants: orNull(LIMITS.tenants),
    groups: orNull(LIMITS.groups),
  },
  { additionalProperties: false, $id: 'QueueLimitsRequest' },
);
export type QueueLimitsRequest = Static<typeof QueueLimitsRequest>;

/** The limits that a queue has; what is absent has none. */
export const QueueLimits = Type.Object(
  {
    concurrency: Type.Optional(LIMITS.concurrency),
    rate: Type.Optional(LIMITS.rate),
    depth: Type.Optional(LIMITS.depth),
    oldestWaitMs: Type.Optional(LIMITS.oldestWaitMs),
    tenants: Type.Optional(LIMITS.tenants),
    groups: Type.Optional({ ...LIMITS.groups, description: 'only when the limits themselves are read' }),
  },
  { $id: 'QueueLimits' },
);
export type QueueLimits = Static<typeof QueueLimits>;
