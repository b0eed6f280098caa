import { comparePositions, type JobEvent, queueOf } from '@spillway/contracts';
import type { Redis } from 'ioredis';
import { queueKeys } from '../engine/keys.ts';
import { reportOthers } from '../engine/unavailable.ts';
import { type BriefEvent, parseBrief } from './brief-event.ts';
import { parseEvent, type StreamEntry } from './parse-event.ts';

export type { BriefEvent } from './brief-event.ts';

/** What happens to jobs, in the order in which it happened in each queue. */
export interface Feed {
  /**
   * Follows one job's queue from now on. Resolves once the stream's position is known, so a snapshot that is taken
   * afterwards overlaps the events and never leaves a gap. Calls add up; each is undone by calling its release, twice is
   * harmless. @throws the reader's error when Redis cannot be asked for the position.
   */
  follow(job: string): Promise<() => void>;
  /**
   * Follows every job of a queue from now on, under the same promise. `listener` hears state and progress of all of them,
   * in stream order. Undone by calling the release, twice is harmless. @throws as `follow` does.
   */
  followQueue(queue: string, listener: QueueListener): Promise<() => void>;
  close(): Promise<void>;
}

export interface FeedListener {
  /** Events of followed jobs, in stream order within a queue; one call per read. */
  onEvents(events: JobEvent[]): void;
  /** Continuity cannot be promised for these jobs: their history was trimmed or rolled back. Take new snapshots. */
  onGap(jobs: string[], why: string): void;
}

export interface QueueListener {
  /** One call per read. */
  onEvents(queue: string, events: BriefEvent[]): void;
  /** Continuity cannot be promised for any job of this queue. */
  onGap(queue: string, why: string): void;
}

/** Entries that one read asks for at most: large enough to catch up quickly, small enough to stay responsive. */
const READ_COUNT = 500;
/** How long a read waits for news. Must stay well below the connection's socketTimeout. */
const BLOCK_MS = 5000;
/** Pause after a failed read; the connection itself reconnects with its own backoff. */
const RETRY_MS = 200;
/**
 * A queue is read on for a while after the last one left it: short jobs come and go many a second, and taking a queue out
 * of the reader and in again costs more than reading its events meanwhile.
 */
const LINGER_MS = 5000;
/** Pause between two attempts to end the reader's wait. */
const NUDGE_MS = 10;

interface Followed {
  /** Everything up to here has been delivered. */
  pos: string;
  /** How many follow each job. */
  jobs: Map<string, number>;
  /** Who follows the queue as a whole. */
  whole: Set<QueueListener>;
  /** Runs while nobody follows a job of the queue. */
  idle?: NodeJS.Timeout | undefined;
}

/**
 * One reader for all queues that somebody follows: explicit positions, never `$`; a malformed entry is skipped; a lost
 * connection resumes where it stopped. Queues that nobody follows cost nothing. `reads` blocks, so it belongs to the feed
 * alone, which closes it; `commands` may be shared.
 */
export function createFeed(setup: {
  reads: Redis;
  commands: Redis;
  prefix: string;
  listener: FeedListener;
  onError: (error: Error) => void;
}): Feed {
  return new StreamFeed(setup);
}

class StreamFeed implements Feed {
  readonly #setup: Parameters<typeof createFeed>[0];
  readonly #queues = new Map<string, Followed>();
  readonly #opening = new Map<string, Promise<Followed>>();
  #loop: Promise<void> | undefined;
  #closed = false;
  /** Set while the reader must notice that its queues changed. */
  #stale = false;
  /** The connection's id in Redis, by which its wait can be ended; unknown while it is not connected. */
  #readerId: number | undefined;
  /** Set when the connection was lost or the reader lags: the stream may have been trimmed or rolled back meanwhile. */
  #doubt = false;

  constructor(setup: Parameters<typeof createFeed>[0]) {
    this.#setup = setup;
    setup.reads.on('close', () => {
      this.#readerId = undefined;
      this.#doubt = true;
    });
  }

  async follow(job: string): Promise<() => void> {
    const queue = queueOf(job);
    if (!queue || this.#closed) return () => undefined;
    const followed = await this.#open(queue);
    clearTimeout(followed.idle);
    followed.jobs.set(job, (followed.jobs.get(job) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(queue, followed, job);
    };
  }

  async followQueue(queue: string, listener: QueueListener): Promise<() => void> {
    if (this.#closed) return () => undefined;
    const followed = await this.#open(queue);
    clearTimeout(followed.idle);
    // An object of its own, so that one listener may follow a queue twice.
    const follower: QueueListener = {
      onEvents: (...events) => listener.onEvents(...events),
      onGap: (...gap) => listener.onGap(...gap),
    };
    followed.whole.add(follower);
    return () => {
      if (followed.whole.delete(follower)) this.#rest(queue, followed);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { idle } of this.#queues.values()) clearTimeout(idle);
    this.#queues.clear();
    this.#setup.reads.disconnect();
    await this.#loop;
  }

  #open(queue: string): Promise<Followed> {
    const known = this.#queues.get(queue);
    if (known) return Promise.resolve(known);
    const opening = this.#opening.get(queue) ?? this.#start(queue).finally(() => this.#opening.delete(queue));
    this.#opening.set(queue, opening);
    return opening;
  }

  async #start(queue: string): Promise<Followed> {
    const followed: Followed = { pos: await this.#lastPosition(queue), jobs: new Map(), whole: new Set() };
    this.#queues.set(queue, followed);
    this.#wake();
    this.#loop ??= this.#run();
    return followed;
  }

  #release(queue: string, followed: Followed, job: string): void {
    const left = (followed.jobs.get(job) ?? 1) - 1;
    if (left > 0) followed.jobs.set(job, left);
    else followed.jobs.delete(job);
    this.#rest(queue, followed);
  }

  /** Leaves a queue that nobody follows any more, a while later. */
  #rest(queue: string, followed: Followed): void {
    if (followed.jobs.size > 0 || followed.whole.size > 0 || this.#closed) return;
    clearTimeout(followed.idle);
    followed.idle = setTimeout(() => this.#leave(queue, followed), LINGER_MS);
  }

  #leave(queue: string, followed: Followed): void {
    if (this.#queues.get(queue) !== followed) return;
    this.#queues.delete(queue);
    this.#wake();
  }

  async #lastPosition(queue: string): Promise<string> {
    const [last] = await this.#setup.commands.xrevrange(this.#key(queue), '+', '-', 'COUNT', 1);
    return last?.[0] ?? '0-0';
  }

  #key(queue: string): string {
    return queueKeys(this.#setup.prefix, queue).events;
  }

  /** Reads until nobody follows anything. */
  async #run(): Promise<void> {
    while (this.#queues.size > 0) {
      this.#stale = false;
      const queues = [...this.#queues.keys()];
      try {
        this.#readerId ??= await this.#setup.reads.client('ID');
        if (this.#doubt) {
          this.#doubt = false;
          await this.#checkContinuity(queues);
        }
        await this.#read(queues);
      } catch (error) {
        this.#doubt = true;
        if (this.#closed) break;
        this.#report(error);
        await pause(RETRY_MS);
      }
    }
    this.#loop = undefined;
  }

  #report(error: unknown): void {
    if (error instanceof Error) reportOthers(this.#setup.onError)(error);
  }

  async #read(queues: readonly string[]): Promise<void> {
    const positions = queues.map((queue) => this.#queues.get(queue)?.pos ?? '$');
    const keys = queues.map((queue) => this.#key(queue));
    const replies = await this.#setup.reads.xread(
      'COUNT',
      READ_COUNT,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      ...keys,
      ...positions,
    );
    // The connection was lost while we waited, and asked again by itself: what came may begin behind a gap.
    if (this.#doubt) return;
    for (const [key, entries] of (replies ?? []) as [string, StreamEntry[]][]) {
      const queue = queues[keys.indexOf(key)];
      if (queue) this.#deliver(queue, entries);
      // A full read means that we lag, and a stream that is trimmed under a lagging reader jumps silently.
      if (entries.length === READ_COUNT) this.#doubt = true;
    }
  }

  #deliver(queue: string, entries: StreamEntry[]): void {
    const followed = this.#queues.get(queue);
    if (!followed) return;
    const events = entries.flatMap((entry) => this.#parse(entry, followed));
    followed.pos = entries.at(-1)?.[0] ?? followed.pos;
    if (events.length > 0) this.#setup.listener.onEvents(events);
    if (followed.whole.size > 0) this.#deliverWhole(queue, entries, followed);
  }

  #deliverWhole(queue: string, entries: StreamEntry[], followed: Followed): void {
    const events = entries.flatMap((entry) => this.#parseBrief(entry));
    if (events.length > 0) for (const listener of followed.whole) listener.onEvents(queue, events);
  }

  #parse(entry: StreamEntry, followed: Followed): JobEvent[] {
    try {
      const event = parseEvent(entry, (job) => followed.jobs.has(job));
      return event ? [event] : [];
    } catch (cause) {
      return this.#skip(entry, cause);
    }
  }

  #parseBrief(entry: StreamEntry): BriefEvent[] {
    try {
      const event = parseBrief(entry);
      return event ? [event] : [];
    } catch (cause) {
      return this.#skip(entry, cause);
    }
  }

  #skip(entry: StreamEntry, cause: unknown): [] {
    this.#setup.onError(new Error(`skipped a malformed event at ${entry[0]}`, { cause }));
    return [];
  }

  /** A stream whose first entry lies behind our position was trimmed past us; one that ends before it was rolled back. */
  async #checkContinuity(queues: readonly string[]): Promise<void> {
    for (const queue of queues) {
      const followed = this.#queues.get(queue);
      if (!followed) continue;
      const key = this.#key(queue);
      const [[first] = [], last] = await Promise.all([
        this.#setup.commands.xrange(key, '-', '+', 'COUNT', 1),
        this.#lastPosition(queue),
      ]);
      const trimmed = first !== undefined && comparePositions(first[0], followed.pos) > 0;
      const rolledBack = comparePositions(last, followed.pos) < 0;
      if (!trimmed && !rolledBack) continue;
      followed.pos = last;
      const why = trimmed ? 'history was trimmed' : 'Redis came back with less data';
      this.#setup.listener.onGap([...followed.jobs.keys()], why);
      for (const listener of followed.whole) listener.onGap(queue, why);
    }
  }

  /**
   * Ends the reader's wait, so that it looks at its queues again. The call may come a moment before the reader blocks and
   * then unblocks nothing, so it is repeated until the reader has taken notice.
   */
  #wake(): void {
    if (!this.#loop || this.#stale) return;
    this.#stale = true;
    const nudge = async () => {
      while (this.#stale && this.#loop && this.#readerId !== undefined) {
        await this.#setup.commands.client('UNBLOCK', this.#readerId);
        await pause(NUDGE_MS);
      }
    };
    // While Redis is away there is no wait to end: the reader fails and looks again by itself.
    nudge().catch(() => undefined);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
