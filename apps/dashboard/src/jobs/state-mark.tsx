import type { Job, JobState } from '@spillway/client';

/** A sign per state that differs in shape, not in colour only. */
const SHAPES: Record<JobState, string> = {
  waiting: 'M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9',
  delayed: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2.2 1.4',
  blocked: 'M3.5 3.5h9v9h-9z',
  active: 'M5.5 3.5l7 4.5l-7 4.5z',
  completed: 'M3 8.5l3.3 3.3L13 4.8',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M3.5 8h9',
};

export function StateMark({ state }: { state: JobState }) {
  return (
    <svg class={`sign sign--${state}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[state]} />
    </svg>
  );
}

export function StateLabel({ job: { state, cancel } }: { job: Job }) {
  return (
    <span class={`state state--${state}`}>
      <StateMark state={state} />
      {state === 'active' && cancel ? 'cancelling…' : state}
    </span>
  );
}
