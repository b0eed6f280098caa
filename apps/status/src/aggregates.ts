import type { Batch } from '@spillway/contracts';

/** Least pause between two times that a room is told how its batch stands: a bar need not move more often. */
const TELL_MS = 250;
/** How often a batch that has not ended is looked at where nothing was heard: ends are counted just after they are told. */
const LOOK_MS = 1000;

export interface AggregatesSetup {
  read: (batch: string) => Promise<Batch | undefined>;
  tell: (batch: Batch) => void;
  onError: (error: unknown) => void;
  now?: () => number;
}

interface Watched {
  /** What its room was told last, as JSON. */
  told: string;
  /** Whether something has happened in it since it was looked at. */
  isStale: boolean;
  /** Whether nothing more is to come, unless something happens. */
  hasEnded: boolean;
  lookedAt: number;
}

/**
 * Tells rooms how their batches stand as a whole. A batch is read when something was heard of it, at most four times a
 * second, and once a second until it has ended: so the last figures are told whatever was heard. Nobody watching costs nothing.
 */
export class Aggregates {
  readonly #setup: AggregatesSetup;
  readonly #now: () => number;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(setup: AggregatesSetup) {
    this.#setup = setup;
    this.#now = setup.now ?? Date.now;
  }

  add(batch: string): void {
    this.#watched.set(batch, { told: '', isStale: true, hasEnded: false, lookedAt: 0 });
    this.#timer ??= setInterval(() => void this.#look(), TELL_MS);
  }

  drop(batch: string): void {
    this.#watched.delete(batch);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Something has happened to one of its jobs. */
  touch(batch: string): void {
    const watched = this.#watched.get(batch);
    if (watched) watched.isStale = true;
  }

  /** Somebody has come who was told something that may be older than what the others know. */
  repeat(batch: string): void {
    this.touch(batch);
    const watched = this.#watched.get(batch);
    if (watched) watched.told = '';
  }

  async #look(): Promise<void> {
    // While Redis is slow, looks must not pile up.
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await Promise.all([...this.#watched].filter(([, one]) => this.#isDue(one)).map((due) => this.#read(...due)));
    } catch (error) {
      this.#setup.onError(error);
    } finally {
      this.#isLooking = false;
    }
  }

  #isDue({ isStale, hasEnded, lookedAt }: Watched): boolean {
    return isStale || (!hasEnded && this.#now() - lookedAt >= LOOK_MS);
  }

  async #read(id: string, watched: Watched): Promise<void> {
    watched.isStale = false;
    watched.lookedAt = this.#now();
    const batch = await this.#setup.read(id).catch((error: unknown) => {
      watched.isStale = true;
      throw error;
    });
    watched.hasEnded = batch?.finishedAt !== undefined;
    const text = JSON.stringify(batch);
    if (!batch || text === watched.told || this.#watched.get(id) !== watched) return;
    watched.told = text;
    this.#setup.tell(batch);
  }
}
