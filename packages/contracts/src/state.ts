import { type Static, Type } from '@spillway/schema';

/** Every state a job can be in. The last three are final: a job that reached one never leaves it, except by an explicit retry. */
export const JOB_STATES = ['waiting', 'delayed', 'blocked', 'active', 'completed', 'failed', 'cancelled'] as const;

export const JobState = /* @__PURE__ */ Type.Enum(JOB_STATES, {
  description: 'completed, failed and cancelled are final',
});
export type JobState = Static<typeof JobState>;

export type FinalState = 'completed' | 'failed' | 'cancelled';

export function isFinal(state: JobState): state is FinalState {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}
