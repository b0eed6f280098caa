import type { Redis } from '@spillway/bullmq';
import { type JobEvent, queueOf } from '@spillway/contracts';
import { epochOf } from '../engine/epoch.ts';
import { queueKeys } from '../engine/keys.ts';
import { isPassing, withRedis } from '../engine/unavailable.ts';
import { type BriefEvent, parseBrief } from './brief-event.ts';
import { type Ends, findGap, type Mark, readEnds } from './continuity.ts';
import { parseEvent, type StreamEntry } from './parse-event.ts';

export type { BriefEvent } from './brief-event.ts';

/** What happens to jobs, in the order in which it happened in each queue. */
export interface Feed {
  /**
   * Follows one job's queue from now on. Resolves once the stream's position is known, so a snapshot that is taken
   * afterwards overlaps the events and never leaves a gap. Calls add up; each is undone by calling its release, twice is
   * harmless. @throws SpillwayError `unavailable` when Redis cannot be asked for the position.
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
  /**
   * Continuity cannot be promised for these jobs: their history was trimmed, or Redis was restarted or emptied. Take new
   * snapshots. Events that were heard before and still wait somewhere must be passed on before this, or be dropped.
   */
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
/**
 * How long a read waits for news, and how often continuity is checked while nothing else asks for it. At most a third of
 * the connection's socketTimeout, which ends a connection that has died without a word.
 */
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
  readonly queue: string;
  readonly key: string;
  mark: Mark;
  /** How many follow each job. */
  readonly jobs: Map<string, number>;
  /** Who follows the queue as a whole. */
  readonly whole: Set<QueueListener>;
  /** Set while something that is no stream has the key; the other queues are read on. */
  unreadable: boolean;
  /** Runs while nobody follows a job of the queue. */
  idle?: NodeJS.Timeout | undefined;
}

/**
 * One reader for all queues that somebody follows: explicit positions, never `$`; a malformed entry is skipped; a lost
 * connection resumes where it stopped; nothing that Redis answers ends it. Queues that nobody follows cost nothing. `reads`
 * blocks, so it belongs to the feed alone, which closes it; `commands` may be shared.
 */
export function createFeed(setup: FeedSetup): Feed {
  return new StreamFeed(setup);
}

export interface FeedSetup {
  reads: Redis;
  commands: Redis;
  prefix: string;
  listener: FeedListener;
  onError: (error: Error) => void;
  now?: () => number;
}

class StreamFeed implements Feed {
  readonly #setup: FeedSetup;
  readonly #now: () => number;
  readonly #blockMs: number;
  readonly #queues = new Map<string, Followed>();
  readonly #opening = new Map<string, Promise<Followed>>();
  #loop: Promise<void> | undefined;
  #closed = false;
  /** Set while the reader must notice that its queues changed. */
  #stale = false;
  /** The connection's id in Redis, by which its wait can be ended; unknown while it is not connected. */
  #readerId: number | undefined;
  /** Set when the stream may have been trimmed, emptied or rolled back since the last look. */
  #doubt = false;
  #checkedAt = 0;
  /** What was reported last, and not again while it lasts. */
  #trouble = '';
  /** Fails what the reader waits for at the moment. */
  #lose: (error: Error) => void = () => undefined;
  /** Lets a reader go on that waits for its connection. */
  #resume: () => void = () => undefined;

  constructor(setup: FeedSetup) {
    const { reads, now = Date.now } = setup;
    this.#setup = setup;
    this.#now = now;
    const { socketTimeout = Number.POSITIVE_INFINITY } = reads.options;
    // A block of 0 would be one for ever.
    this.#blockMs = Math.max(1, Math.floor(Math.min(BLOCK_MS, socketTimeout / 3)));
    reads.on('ready', () => this.#resume());
    reads.on('close', () => {
      this.#readerId = undefined;
      this.#doubt = true;
      this.#lose(new Error('Connection is closed'));
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
    this.#lose(new Error('Connection is closed'));
    this.#resume();
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
    const { commands, prefix } = this.#setup;
    const { events: key } = queueKeys(prefix, queue);
    const mark = await withRedis(commands, async () => markAt(await readEnds(commands, key), await epochOf(commands)));
    const followed: Followed = { queue, key, mark, jobs: new Map(), whole: new Set(), unreadable: false };
    if (this.#closed) return followed;
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

  /** Reads until nobody follows anything. */
  async #run(): Promise<void> {
    while (this.#queues.size > 0) {
      this.#stale = false;
      try {
        await this.#turn();
        this.#trouble = '';
      } catch (error) {
        this.#doubt = true;
        if (this.#closed) break;
        this.#report(error);
        await pause(RETRY_MS);
      }
    }
    this.#loop = undefined;
  }

  async #turn(): Promise<void> {
    const { reads } = this.#setup;
    if (reads.status !== 'ready') return this.#untilReady();
    this.#readerId ??= await this.#asked(reads.client('ID'));
    if (this.#doubt || this.#now() - this.#checkedAt >= this.#blockMs) await this.#check();
    await this.#read();
  }

  /** While the connection is away nothing is asked: questions would pile up and be put all at once. */
  #untilReady(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** The answer, or failure as soon as the connection is lost: an answer that comes over the next one is none to this. */
  #asked<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#lose = reject;
      answer.then(resolve, reject);
    });
  }

  /** What the connection does not report by itself, once as long as it lasts. */
  #report(error: unknown): void {
    if (!(error instanceof Error) || isPassing(error) || error.message === this.#trouble) return;
    this.#trouble = error.message;
    this.#setup.onError(error);
  }

  async #read(): Promise<void> {
    const streams = [...this.#queues.values()].filter(({ unreadable }) => !unreadable);
    if (streams.length === 0) return pause(RETRY_MS);
    const marks = new Map(streams.map((followed) => [followed.key, { followed, pos: followed.mark.pos }]));
    const replies = (await this.#asked(
      this.#setup.reads.xread(
        'COUNT',
        READ_COUNT,
        'BLOCK',
        this.#blockMs,
        'STREAMS',
        ...streams.map(({ key }) => key),
        ...streams.map(({ mark }) => mark.pos),
      ),
    )) as [string, StreamEntry[]][] | null;
    if (!replies) return;
    // A full read means that we lag, and a stream that is trimmed under a lagging reader jumps silently.
    if (replies.some(([, entries]) => entries.length === READ_COUNT)) await this.#check();
    for (const [key, entries] of replies) {
      const read = marks.get(key);
      // After a gap the reader stands elsewhere, and new snapshots tell what these entries would.
      if (read && read.followed.mark.pos === read.pos) this.#deliver(read.followed, entries);
    }
  }

  #deliver(followed: Followed, entries: readonly StreamEntry[]): void {
    const { queue, mark, jobs, whole } = followed;
    const events = jobs.size > 0 ? this.#parse(entries, (entry) => parseEvent(entry, jobs)) : [];
    const brief = whole.size > 0 ? this.#parse(entries, parseBrief) : [];
    mark.pos = entries.at(-1)?.[0] ?? mark.pos;
    if (mark.added !== undefined) mark.added += entries.length;
    if (events.length > 0) this.#setup.listener.onEvents(events);
    if (brief.length > 0) for (const listener of whole) listener.onEvents(queue, brief);
  }

  #parse<T>(entries: readonly StreamEntry[], parse: (entry: StreamEntry) => T | undefined): T[] {
    const events: T[] = [];
    for (const entry of entries) {
      try {
        const event = parse(entry);
        if (event) events.push(event);
      } catch (cause) {
        this.#setup.onError(new Error(`skipped a malformed event at ${entry[0]}`, { cause }));
      }
    }
    return events;
  }

  /** Compares every followed stream with how far it was read, and declares what is missing. */
  async #check(): Promise<void> {
    const { reads } = this.#setup;
    this.#doubt = false;
    const followed = [...this.#queues.values()];
    const streams = await this.#asked(Promise.allSettled(followed.map(({ key }) => readEnds(reads, key))));
    const epoch = await this.#asked(epochOf(reads));
    this.#checkedAt = this.#now();
    for (const [index, stream] of streams.entries()) {
      const queue = followed[index];
      if (!queue) continue;
      if (stream.status === 'fulfilled') this.#judge(queue, stream.value, epoch);
      else this.#setAside(queue, stream.reason);
    }
  }

  #judge(queue: Followed, ends: Ends, epoch: string | undefined): void {
    queue.unreadable = false;
    const why = findGap(queue.mark, ends, epoch);
    queue.mark.epoch ??= epoch;
    if (!why) return;
    queue.mark = markAt(ends, epoch);
    if (queue.jobs.size > 0) this.#setup.listener.onGap([...queue.jobs.keys()], why);
    for (const listener of queue.whole) listener.onGap(queue.queue, why);
  }

  /** One key that is no stream would fail every read, of all queues. */
  #setAside(queue: Followed, reason: unknown): void {
    if (!(reason instanceof Error && reason.message.includes('WRONGTYPE'))) throw reason;
    if (!queue.unreadable) this.#setup.onError(new Error(`expected a stream at ${queue.key}`, { cause: reason }));
    queue.unreadable = true;
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

/** Everything that the stream holds now counts as delivered. */
function markAt({ last, added }: Ends, epoch: string | undefined): Mark {
  return { pos: last, added, epoch };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
