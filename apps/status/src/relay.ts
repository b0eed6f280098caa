import { type JobEvent, jobRoom } from '@spillway/contracts';
import type { FeedListener } from '@spillway/queue/feed';
import type { Jobs } from './server.ts';

/** Sends what the feed brings to the rooms of this process; every process has its own feed, so nobody is told twice. */
export interface Relay extends FeedListener {
  /** Where to send; to be called once, before the feed follows anything. */
  to(namespace: Jobs): void;
}

export function createRelay(): Relay {
  let namespace: Jobs | undefined;
  return {
    to(jobs) {
      namespace = jobs;
    },
    onEvents(events) {
      for (const [job, frame] of framesByJob(events)) namespace?.to(jobRoom(job)).emit('events', frame);
    },
    onGap(jobs, why) {
      for (const job of jobs) namespace?.to(jobRoom(job)).emit('resync', { jobs: [job], why });
    },
  };
}

/** One frame a job for what one read brought: the write to the socket is what costs. */
function framesByJob(events: readonly JobEvent[]): Map<string, JobEvent[]> {
  const frames = new Map<string, JobEvent[]>();
  for (const event of events) {
    const frame = frames.get(event.job);
    if (frame) frame.push(event);
    else frames.set(event.job, [event]);
  }
  return frames;
}
