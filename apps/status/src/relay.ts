import { type JobEvent, jobRoom, type WatchTarget } from '@spillway/contracts';
import type { FeedListener } from '@spillway/queue/feed';
import { frameSent, isEnd } from './end-of-watch.ts';
import type { LiveNamespace, LiveSocket } from './live-socket.ts';
import { type RoomSetup, sendToRoom } from './room.ts';

/** Somebody who hears a room without being a connection of Socket.IO. Both are called in order and must not throw. */
export interface RoomListener {
  /** The array is shared with all others of the room: it must not be changed. */
  frame(events: JobEvent[]): void;
  /** Continuity cannot be promised: take a new snapshot. */
  resync(why: string): void;
}

/**
 * Sends what the feed brings to the rooms of this process; every process has its own feed, so nobody is told twice. Events
 * of a room are gathered into frames, because the write to a socket is what costs; a final state takes what was gathered
 * along at once.
 */
export interface Relay extends FeedListener {
  /** Where to send; to be called once, before the feed follows anything. */
  to(namespace: LiveNamespace): void;
  /** Whether anybody here watches the job. */
  isHeard(job: string): boolean;
  /** Hears a room from now on, until the release is called. */
  subscribe(room: string, listener: RoomListener): () => void;
}

/** How long a frame is gathered: three times faster than an eye that reads, and a twentieth of the writes of a busy job. */
const FRAME_MS = 50;
/**
 * With many busy rooms frames are gathered longer, for this much a room: sending one costs about 50 us of CPU, so that it
 * takes a third of the time at most, and a thousand busy jobs are shown seven times a second instead of ten.
 */
const FRAME_MS_PER_ROOM = 0.15;
const FRAME_MAX_MS = 250;

export function createRelay(setup: RoomSetup): Relay {
  return new RoomRelay(setup);
}

class RoomRelay implements Relay {
  readonly #setup: RoomSetup;
  /** What is gathered, by room. */
  readonly #frames = new Map<string, JobEvent[]>();
  readonly #listeners = new Map<string, Set<RoomListener>>();
  #namespace: LiveNamespace | undefined;
  #timer: NodeJS.Timeout | undefined;
  #gatherMs = FRAME_MS;

  constructor(setup: RoomSetup) {
    this.#setup = setup;
  }

  to(namespace: LiveNamespace): void {
    this.#namespace = namespace;
  }

  subscribe(room: string, listener: RoomListener): () => void {
    const listeners = this.#listeners.get(room) ?? new Set();
    this.#listeners.set(room, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(room) === listeners) this.#listeners.delete(room);
    };
  }

  isHeard(job: string): boolean {
    const room = jobRoom(job);
    return this.#listeners.has(room) || (this.#namespace?.adapter.rooms.has(room) ?? false);
  }

  onEvents(events: JobEvent[]): void {
    for (const event of events) this.#gather(jobRoom(event.job), event);
    for (const event of events) if (isEnd(event)) this.#flush(jobRoom(event.job));
    if (this.#frames.size > 0) this.#timer ??= setTimeout(() => this.#flushAll(), this.#gatherMs);
  }

  onGap(jobs: string[], why: string): void {
    const told = new Map<LiveSocket, WatchTarget[]>();
    for (const job of jobs) {
      const room = jobRoom(job);
      // What is older than the gap goes first, so that it cannot be taken for newer than the next snapshot.
      this.#flush(room);
      for (const listener of this.#listeners.get(room) ?? []) listener.resync(why);
      for (const socket of this.#members(room)) {
        const targets = told.get(socket);
        if (targets) targets.push({ job });
        else told.set(socket, [{ job }]);
      }
    }
    for (const [socket, targets] of told) socket.emit('resync', { targets, why });
    this.#setup.metrics.resyncs.inc({ reason: 'gap' }, told.size);
  }

  #gather(room: string, event: JobEvent): void {
    const frame = this.#frames.get(room);
    if (!frame) {
      this.#frames.set(room, [event]);
      return;
    }
    const last = frame.length - 1;
    if (replaces(frame[last], event)) frame[last] = event;
    else frame.push(event);
  }

  #flushAll(): void {
    this.#timer = undefined;
    this.#gatherMs = Math.min(FRAME_MAX_MS, Math.max(FRAME_MS, this.#frames.size * FRAME_MS_PER_ROOM));
    for (const [room, frame] of this.#frames) this.#send(room, frame);
    this.#frames.clear();
  }

  #flush(room: string): void {
    const frame = this.#frames.get(room);
    if (!frame) return;
    this.#frames.delete(room);
    this.#send(room, frame);
  }

  #send(room: string, frame: JobEvent[]): void {
    const listeners = this.#listeners.get(room);
    if (listeners) for (const listener of listeners) listener.frame(frame);
    if (!this.#namespace) return;
    sendToRoom(this.#namespace, room, { frame }, this.#setup);
    frameSent(this.#members(room), room, frame);
  }

  *#members(room: string): Iterable<LiveSocket> {
    for (const id of this.#namespace?.adapter.rooms.get(room) ?? []) {
      const socket = this.#namespace?.sockets.get(id);
      if (socket) yield socket;
    }
  }
}

/** Of two progress values in a row, or two places in line, only the later one counts. Lines, chunks and states are never dropped. Pure. */
function replaces(earlier: JobEvent | undefined, later: JobEvent): boolean {
  if (earlier?.job !== later.job) return false;
  if (earlier.kind === 'position' && later.kind === 'position') return true;
  return isProgressOnly(earlier) && isProgressOnly(later);
}

function isProgressOnly(event: JobEvent): boolean {
  return event.kind === 'report' && event.progress !== undefined && !event.log && !event.output;
}
