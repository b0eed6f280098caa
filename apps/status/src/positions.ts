import { type JobEvent, type PlaceInLine, type Snapshot, SpillwayError } from '@spillway/contracts';
import type { FeedListener } from '@spillway/queue/feed';
import type { Position, Reader } from '@spillway/queue/reader';

/** Places in line are looked at this often; nobody who waits wants to read faster. */
const LOOK_MS = 1000;
/** Near the head each step is told; further back it takes a twentieth of the way. */
const NEAR = 20;
const SHARE = 0.05;
/** An estimate is told anew when it is off by a fifth, and by a second: estimates are no better than that. */
const OFF_SHARE = 0.2;
const OFF_MS = 1000;

export interface PositionsSetup {
  reader: Pick<Reader, 'positions'>;
  /** Who is told; also hears everything that the feed brings. */
  relay: FeedListener & { isHeard(job: string): boolean };
  onError: (error: unknown) => void;
}

/**
 * Tells watched jobs that wait where they stand, once a second while there are any, and only what has changed noticeably.
 * It learns from snapshots and events which of the watched ones wait, so it costs Redis nothing while none does.
 */
export interface PositionWatch extends FeedListener {
  /** A reader whose snapshots, which watchers are given, tell which jobs wait. */
  observe(reader: Reader): Reader;
  /** Looks no more. Calling twice is harmless. */
  close(): void;
}

export function watchPositions(setup: PositionsSetup): PositionWatch {
  return new WaitingJobs(setup);
}

/** A watched job that waits, with what was told last. One that waits anew is another one. */
interface Waiting {
  told: PlaceInLine | undefined;
}

class WaitingJobs implements PositionWatch {
  readonly #setup: PositionsSetup;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(setup: PositionsSetup) {
    this.#setup = setup;
  }

  observe(reader: Reader): Reader {
    return {
      ...reader,
      snapshot: async (id, after) => {
        const snapshot = await reader.snapshot(id, after);
        this.#take(snapshot);
        return snapshot;
      },
    };
  }

  onEvents(events: JobEvent[]): void {
    this.#setup.relay.onEvents(events);
    for (const event of events) {
      if (event.kind === 'state' && event.state === 'waiting') this.#add(event.job);
      else if (event.kind === 'state' || event.kind === 'removed') this.#waiting.delete(event.job);
    }
  }

  onGap(jobs: string[], why: string): void {
    this.#setup.relay.onGap(jobs, why);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Several may watch a job, and each is told by its own snapshot; the room was told what is held here. */
  #take({ job: { id, state, position } }: Snapshot): void {
    if (state === 'waiting' && !this.#waiting.has(id)) this.#add(id, position);
  }

  #add(job: string, told?: PlaceInLine): void {
    this.#waiting.set(job, { told });
    this.#wake();
  }

  #wake(): void {
    if (this.#closed || this.#waiting.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#turn(), LOOK_MS).unref();
  }

  async #turn(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      // While Redis is away everybody knows, and places are told when it is back.
      if (!(error instanceof SpillwayError)) this.#setup.onError(error);
    }
    this.#timer = undefined;
    this.#wake();
  }

  async #look(): Promise<void> {
    const { reader, relay } = this.#setup;
    for (const job of this.#waiting.keys()) if (!relay.isHeard(job)) this.#waiting.delete(job);
    const asked = [...this.#waiting];
    const found = await reader.positions(asked.map(([job]) => job));
    // What has started, or waits anew, since it was asked about is told by the feed.
    const still = asked.filter(([job, waiting]) => this.#waiting.get(job) === waiting);
    for (const [job] of still) if (!found.has(job)) this.#waiting.delete(job);
    const news = still.flatMap(([job, waiting]) => newsOf(job, waiting, found.get(job)));
    if (news.length > 0) relay.onEvents(news);
  }
}

/** What the room of a job is to be told, which is then what it was told last. */
function newsOf(job: string, waiting: Waiting, found: Position | undefined): JobEvent[] {
  if (!found || !isNews(waiting.told, found.position)) return [];
  const { pos, position } = found;
  waiting.told = position;
  return [{ job, pos, at: Date.parse(position.at), kind: 'position', position }];
}

/** Whether somebody who was told one place wants to hear of the other. Pure. */
export function isNews(told: PlaceInLine | undefined, now: PlaceInLine): boolean {
  if (!told || told.reason !== now.reason) return true;
  const moved = Math.abs(told.ahead - now.ahead);
  if (moved > 0 && (now.ahead <= NEAR || moved >= told.ahead * SHARE)) return true;
  return isOff(told, now);
}

/** Whether the start is expected at another time than it was told. */
function isOff(told: PlaceInLine, now: PlaceInLine): boolean {
  if (told.startsInMs === undefined || now.startsInMs === undefined) return told.startsInMs !== now.startsInMs;
  const expectedMs = Math.max(0, told.startsInMs - (Date.parse(now.at) - Date.parse(told.at)));
  return Math.abs(expectedMs - now.startsInMs) > Math.max(OFF_MS, expectedMs * OFF_SHARE);
}
