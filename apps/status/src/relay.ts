import { isFinal, type JobEvent, jobRoom } from '@spillway/contracts';
import type { FeedListener } from '@spillway/queue/feed';
import type { Jobs } from './server.ts';

/**
 * Sends what the feed brings to the rooms of this process; every process has its own feed, so nobody is told twice. Events
 * of a room are gathered into frames, because the write to a socket is what costs; a final state takes what was gathered
 * along at once.
 */
export interface Relay extends FeedListener {
  /** Where to send; to be called once, before the feed follows anything. */
  to(namespace: Jobs): void;
}

/** How long a frame is gathered: three times faster than an eye that reads, and a twentieth of the writes of a busy job. */
const FRAME_MS = Number(process.env.FRAME ?? 50);

export function createRelay(): Relay {
  let namespace: Jobs | undefined;
  let timer: NodeJS.Timeout | undefined;
  const frames = new Map<string, JobEvent[]>();

  function send(job: string, frame: JobEvent[]): void {
    namespace?.to(jobRoom(job)).emit('events', frame);
  }

  function flush(): void {
    timer = undefined;
    for (const [job, frame] of frames) send(job, frame);
    frames.clear();
  }

  return {
    to(jobs) {
      namespace = jobs;
    },
    onEvents(events) {
      for (const event of events) {
        const frame = frames.get(event.job) ?? [];
        frame.push(event);
        frames.set(event.job, frame);
      }
      for (const event of events) {
        const frame = frames.get(event.job);
        if (!frame || !(event.kind === 'removed' || (event.kind === 'state' && isFinal(event.state)))) continue;
        frames.delete(event.job);
        send(event.job, frame);
      }
      if (frames.size > 0) timer ??= setTimeout(flush, FRAME_MS);
    },
    onGap(jobs, why) {
      for (const job of jobs) namespace?.to(jobRoom(job)).emit('resync', { targets: [{ job }], why });
    },
  };
}
