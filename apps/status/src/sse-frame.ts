import { advanceCursor, type Cursor, type FinalState, isFinal, type JobEvent, leavesHole } from '@spillway/contracts';

/** What a frame brings to a reader who stands at a cursor. */
export interface FrameStep {
  /** Where the reader stands after `fresh`. */
  cursor: Cursor;
  /** What it has not been told yet, in order; `removed` is not among them. */
  fresh: JobEvent[];
  /** Numbers are missing before the event that follows `fresh`: only a snapshot helps. */
  hole: boolean;
  /** The final state in which `fresh` leaves the job. */
  ended?: FinalState;
  removed: boolean;
}

/** Sorts a frame's events of one job by what the reader already has. Pure. */
export function stepFrame(job: string, from: Cursor, events: readonly JobEvent[]): FrameStep {
  const step: FrameStep = { cursor: from, fresh: [], hole: false, removed: false };
  for (const event of events) {
    const cursor = advanceCursor(step.cursor, event);
    // A place in line moves no cursor; whether it is late the fold sees.
    const isOld = cursor === step.cursor && event.kind !== 'position';
    if (event.job !== job || isOld) continue;
    if (leavesHole({ job: { id: job }, cursor: step.cursor }, event)) return { ...step, hole: true };
    step.cursor = cursor;
    if (event.kind === 'removed') return { ...step, removed: true };
    step.fresh.push(event);
    if (event.kind === 'state') step.ended = isFinal(event.state) ? event.state : undefined;
  }
  return step;
}
