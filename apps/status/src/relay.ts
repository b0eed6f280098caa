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
  /** Sends a room's frames to somebody who is no Socket.IO connection, until the release is called; twice is harmless. */
  subscribe(room: string, subscriber: Subscriber): () => void;
}

/** Must not throw and not change what it is given: others get the same frame. */
export interface Subscriber {
  frame(events: JobEvent[]): void;
  /** Continuity cannot be promised: take a new snapshot. */
  resync(why: string): void;
}

/** How long a frame is gathered: three times faster than an eye that reads, and a twentieth of the writes of a busy job. */
const FRAME_MS = Number(process.env.FRAME ?? 50);

export function createRelay(): Relay {
  let namespace: Jobs | undefined;
  let timer: NodeJS.Timeout | undefined;
  const frames = new Map<string, JobEvent[]>();
  const subscribers = new Map<string, Set<Subscriber>>();

  function send(job: string, frame: JobEvent[]): void {
    const room = jobRoom(job);
    namespace?.to(room).emit('events', frame);
    for (const subscriber of subscribers.get(room) ?? []) subscriber.frame(frame);
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
    subscribe(room, subscriber) {
      const others = subscribers.get(room) ?? new Set();
      subscribers.set(room, others.add(subscriber));
      return () => {
        others.delete(subscriber);
        if (others.size === 0 && subscribers.get(room) === others) subscribers.delete(room);
      };
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
      for (const job of jobs) {
        namespace?.to(jobRoom(job)).emit('resync', { targets: [{ job }], why });
        for (const subscriber of subscribers.get(jobRoom(job)) ?? []) subscriber.resync(why);
      }
    },
  };
}
