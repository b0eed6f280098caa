import type { JobEvent, WatchReply, WatchTarget } from '@spillway/contracts';
import type { ApiError } from './api-error.ts';

/**
 * What carries the live protocol: Socket.IO today. It knows nothing of jobs; it connects, keeps trying, and says when the
 * line is up or down. After each `up` everything has to be watched again.
 */
export interface Transport {
  /** Starts connecting and keeps at it until `close`. */
  open(): void;
  /** Ends the connection for good and tells the listener nothing more. */
  close(): void;
  /** Only between `up` and `down`. Rejects when no answer comes. */
  watch(targets: WatchTarget[]): Promise<WatchReply>;
  /** Best effort: what a lost line forgets needs no unwatching. */
  unwatch(jobs: string[]): void;
}

export interface TransportListener {
  up(): void;
  down(): void;
  events(events: JobEvent[]): void;
  resync(jobs: string[]): void;
  /** The server refuses this client, and trying again with the same key is pointless. */
  refused(error: ApiError): void;
}

export type CreateTransport = (listener: TransportListener) => Transport;
