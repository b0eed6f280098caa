import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type Cursor, isFinal, type JobEvent, jobRoom, type Snapshot, SpillwayError } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Logger } from '@spillway/runtime';
import type { Relay } from './relay.ts';
import { stepFrame } from './sse-frame.ts';
import { formatMessage, type Standing, type StreamMessage, standingAt } from './sse-message.ts';

export interface StreamSetup {
  relay: Pick<Relay, 'subscribe'>;
  reader: Pick<Reader, 'snapshot'>;
  logger: Pick<Logger, 'error'>;
  /** Between two comments that show that the stream lives. */
  heartbeatMs: number;
  /** A reader that takes nothing for this long is cut off. */
  stuckMs: number;
}

/** A reader that leaves more than this unread is told nothing more until it has caught up. */
const UNREAD_MAX_BYTES = 65_536;
/** Pause before a snapshot that could not be taken is tried again. */
const SNAPSHOT_RETRY_MS = 1000;
/** EventSource waits this long before it asks again: spread out, so that a restart is no storm. */
const RETRY_MIN_MS = 1000;
const RETRY_SPREAD_MS = 2000;

/**
 * One reader of one job's events. It collects from the moment it is made, so that the snapshot that is taken next leaves
 * no gap; `close` must be called in the end. One loop writes: a snapshot, then frame after frame, and a snapshot again
 * from the cursor whenever something was missed, be it by us or because the reader was slow.
 */
export class EventStream {
  readonly #job: string;
  readonly #response: ServerResponse;
  readonly #setup: StreamSetup;
  readonly #release: () => void;
  #cursor: Cursor | undefined;
  /** What came and has not been written yet. */
  #inbox: JobEvent[] = [];
  /** Something was missed, and only a snapshot makes it good. */
  #behind = false;
  /** The reader is slow, and what comes meanwhile is not kept for it. */
  #blocked = false;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(job: string, after: Cursor | undefined, response: ServerResponse, setup: StreamSetup) {
    this.#job = job;
    this.#cursor = after;
    this.#response = response;
    this.#setup = setup;
    this.#release = setup.relay.subscribe(jobRoom(job), {
      frame: (events) => this.#take(events),
      resync: () => this.#miss(),
    });
    // A reader may leave in the middle of a write. It asks again, or it doesn't: nothing to report.
    response.on('error', () => undefined);
    response.once('close', () => this.close());
  }

  /** The job from where the reader stands. @throws what the reader throws */
  snapshot(): Promise<Snapshot> {
    return snapshotAfter(this.#setup.reader, this.#job, this.#cursor);
  }

  /** Writes the whole stream, beginning with that snapshot. Resolves when the reader has gone or has all of it. */
  async run(first: Snapshot): Promise<void> {
    const heartbeat = setInterval(() => this.#beat(), this.#setup.heartbeatMs);
    try {
      this.#response.write(`retry: ${Math.round(RETRY_MIN_MS + Math.random() * RETRY_SPREAD_MS)}\n`);
      let over = await this.#tellSnapshot(first);
      while (!over && !this.#closed) over = await this.#next();
    } finally {
      clearInterval(heartbeat);
    }
    await this.#end();
  }

  /** Stops collecting and lets `run` come to its end. A second call does nothing. */
  close(): void {
    this.#closed = true;
    this.#release();
    this.#wake();
  }

  #take(events: JobEvent[]): void {
    if (this.#blocked) this.#behind = true;
    else this.#inbox.push(...events);
    this.#wake();
  }

  #miss(): void {
    this.#behind = true;
    this.#wake();
  }

  /** One turn of the loop; true when the stream is over. */
  async #next(): Promise<boolean> {
    if (this.#behind) return this.#catchUp();
    if (this.#inbox.length > 0) return this.#tellFrame(this.#inbox.splice(0));
    await this.#news();
    return false;
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #catchUp(): Promise<boolean> {
    this.#behind = false;
    this.#inbox = [];
    try {
      return await this.#tellSnapshot(await this.snapshot());
    } catch (error) {
      if (!(error instanceof SpillwayError)) this.#setup.logger.error({ err: error }, 'a stream found no snapshot');
      else if (error.code === 'job_not_found') return this.#tellRemoval();
      // While Redis is away the reader keeps its connection: EventSource would take a refusal for good.
      this.#behind = true;
      const timer = setTimeout(() => this.#wake(), SNAPSHOT_RETRY_MS);
      await this.#news();
      clearTimeout(timer);
      return false;
    }
  }

  async #tellSnapshot(data: Snapshot): Promise<boolean> {
    this.#cursor = data.cursor;
    await this.#write(standingAt(data), { event: 'snapshot', data });
    return isFinal(data.job.state);
  }

  async #tellFrame(events: JobEvent[]): Promise<boolean> {
    if (!this.#cursor) return false;
    const { cursor, fresh, hole, ended, removed } = stepFrame(this.#job, this.#cursor, events);
    this.#cursor = cursor;
    if (hole) this.#behind = true;
    if (fresh.length > 0)
      await this.#write({ cursor, ...(ended && { seen: ended }) }, { event: 'events', data: fresh });
    return removed ? this.#tellRemoval() : ended !== undefined && !hole;
  }

  async #tellRemoval(): Promise<boolean> {
    if (this.#cursor) await this.#write({ cursor: this.#cursor }, { event: 'removed', data: { job: this.#job } });
    return true;
  }

  async #write(standing: Standing, message: StreamMessage): Promise<void> {
    for (const piece of pieces(formatMessage(standing, message))) {
      if (this.#closed) return;
      this.#response.write(piece);
      if (this.#response.writableLength > UNREAD_MAX_BYTES) await this.#drained();
    }
  }

  /** Resolves when the reader has taken what it was sent, and when it has gone. */
  async #drained(): Promise<void> {
    this.#blocked = true;
    await this.#unlessStuck(['drain', 'close']);
    this.#blocked = false;
  }

  async #end(): Promise<void> {
    if (this.#response.closed) return;
    this.#response.end();
    await this.#unlessStuck(['close']);
  }

  async #unlessStuck(events: string[]): Promise<void> {
    const stuck = setTimeout(() => this.#response.destroy(), this.#setup.stuckMs);
    const waiting = new AbortController();
    await Promise.race(events.map((event) => once(this.#response, event, { signal: waiting.signal }))).catch(
      () => undefined,
    );
    waiting.abort();
    clearTimeout(stuck);
  }

  #beat(): void {
    if (!this.#blocked && !this.#closed) this.#response.write(':\n\n');
  }
}

/** A job from where a reader stands. @throws what the reader of jobs throws */
export async function snapshotAfter(
  reader: Pick<Reader, 'snapshot'>,
  job: string,
  after: Cursor | undefined,
): Promise<Snapshot> {
  const snapshot = await reader.snapshot(job, after);
  const { log, output } = snapshot.cursor;
  // Numbers beyond what there is come from another job, or from what Redis has lost: they vouch for nothing.
  return after && (after.log > log || after.output > output) ? reader.snapshot(job) : snapshot;
}

/** A large message goes out bit by bit, so that a slow reader is told from a stuck one, and only one bit waits for it. */
function* pieces(text: string): Generator<string | Buffer> {
  if (text.length <= UNREAD_MAX_BYTES) return yield text;
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += UNREAD_MAX_BYTES) yield bytes.subarray(from, from + UNREAD_MAX_BYTES);
}
