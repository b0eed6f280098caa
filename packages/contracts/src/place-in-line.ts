import { type Static, Type } from '@spillway/schema';

/** Why a job does not run yet; what holds it up longest comes first. */
export const WAIT_REASONS = [
  'delayed',
  'queue_paused',
  'no_worker',
  'group_cap',
  'queue_limited',
  'next',
  'workers_busy',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** Where a job stands that has not started, and when it may. An estimate at `at`, which later ones replace. */
export const PlaceInLine = Type.Object({
  ahead: Type.Integer({
    minimum: 0,
    description: 'jobs that start before it; of a delayed job those that become due before it',
  }),
  startsInMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'estimated from measured run times, counted from `at`; absent where nothing is known',
    }),
  ),
  reason: Type.Enum([...WAIT_REASONS], {
    description:
      'delayed: it waits for its time (runAt). queue_paused: somebody paused the queue. no_worker: nobody alive runs its type. group_cap: its group runs as many as it may. queue_limited: the whole queue does. next: nothing is before it. workers_busy: every slot has a job',
  }),
  at: Type.String({ format: 'date-time', description: 'when that was so' }),
});
export type PlaceInLine = Static<typeof PlaceInLine>;
