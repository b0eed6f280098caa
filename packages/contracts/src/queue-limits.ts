import { type Static, Type } from 'typebox';
import { QueueGroupLimits, Rate } from './group-limits.ts';

/** Body of `PUT /v1/queues/:name/limits`: all limits of a queue. What is null or absent has no limit. */
export const QueueLimitsRequest = Type.Object(
  {
    concurrency: Type.Optional(
      Type.Union([
        Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'jobs at once, over all workers' }),
        Type.Null(),
      ]),
    ),
    rate: Type.Optional(Type.Union([Rate, Type.Null()])),
    groups: Type.Optional(Type.Union([QueueGroupLimits, Type.Null()])),
  },
  { additionalProperties: false, $id: 'QueueLimitsRequest' },
);
export type QueueLimitsRequest = Static<typeof QueueLimitsRequest>;

/** The limits that a queue has; what is absent has none. */
export const QueueLimits = Type.Object(
  {
    concurrency: Type.Optional(Type.Integer()),
    rate: Type.Optional(Rate),
    groups: Type.Optional({ ...QueueGroupLimits, description: 'only when the limits themselves are read' }),
  },
  { $id: 'QueueLimits' },
);
export type QueueLimits = Static<typeof QueueLimits>;
