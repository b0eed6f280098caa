import { type Static, Type } from '@spillway/schema';

/** What a queue was measured to do of late, and how many workers it needs. */
export const QueueScaling = Type.Object(
  {
    name: Type.String(),
    backlog: Type.Integer({ description: 'jobs that may start at once; delayed and blocked ones are not among them' }),
    active: Type.Integer(),
    oldestWaitMs: Type.Integer({ description: 'how long the job has waited that is the next to start; 0 without one' }),
    arrivalsPerSecond: Type.Number(),
    startsPerSecond: Type.Number(),
    servicePerSecond: Type.Number({ description: 'jobs that ended' }),
    capacityPerSecond: Type.Optional(
      Type.Number({ description: 'what its workers get through while there are jobs; absent before the first run' }),
    ),
    runMs: Type.Optional(
      Type.Object(
        { mean: Type.Number(), deviation: Type.Number({ description: 'standard deviation' }) },
        { description: 'of the latest 200 runs or so' },
      ),
    ),
    utilisation: Type.Number({ description: 'how much of its slots had a job: 0 to 1' }),
    slots: Type.Integer({ description: 'jobs that its workers run at once' }),
    workers: Type.Integer({ description: 'workers alive that serve it' }),
    advisedWorkers: Type.Integer({ description: 'workers that it needs for the target wait' }),
    paused: Type.Boolean(),
  },
  { $id: 'QueueScaling' },
);
export type QueueScaling = Static<typeof QueueScaling>;

export const ScalingReply = Type.Object(
  {
    targetWaitMs: Type.Integer({ description: 'what the advice is for' }),
    queues: Type.Array(Type.Ref('QueueScaling')),
  },
  { $id: 'ScalingReply' },
);
export interface ScalingReply {
  targetWaitMs: number;
  queues: QueueScaling[];
}
