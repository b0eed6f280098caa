/** What is counted of a queue, in the order in which it travels. Those that end in `Ms` are milliseconds. */
export const COUNTED = [
  'arrivals',
  'starts',
  'ends',
  /** Run times of what ended, and their squares: mean and spread follow. */
  'runMs',
  'squaredRunMs',
  /** Time for which slots had a job. */
  'busyMs',
  /** Slot time of seconds in which the worker never found the line empty, and what ended in them. */
  'fullMs',
  'fullEnds',
] as const;

export type Counts = Record<(typeof COUNTED)[number], number>;

export function noCounts(): Counts {
  return { arrivals: 0, starts: 0, ends: 0, runMs: 0, squaredRunMs: 0, busyMs: 0, fullMs: 0, fullEnds: 0 };
}

/**
 * What the slots of one worker do with one queue. It costs a job two readings of a clock and a few sums: nothing is sent
 * until `take`.
 */
export class SlotCount {
  readonly #slots: number;
  readonly #now: () => number;
  #counts = noCounts();
  #running = 0;
  /** Up to when `busyMs` has been summed up. */
  #summedAt: number;
  #takenAt: number;
  /** The line was found empty, and no job has started since. */
  #isDry = true;
  /** The line was empty at some moment since the last `take`. */
  #wasDry = true;

  constructor(slots: number, now: () => number = () => performance.now()) {
    this.#slots = slots;
    this.#now = now;
    this.#summedAt = now();
    this.#takenAt = this.#summedAt;
  }

  /** A job starts. Returns what `end` wants to be told. */
  start(): number {
    const now = this.#sumUp();
    this.#running += 1;
    this.#counts.starts += 1;
    this.#isDry = false;
    return now;
  }

  end(startedAt: number): void {
    const runMs = this.#sumUp() - startedAt;
    this.#running -= 1;
    this.#counts.ends += 1;
    this.#counts.runMs += runMs;
    this.#counts.squaredRunMs += runMs * runMs;
  }

  /** The worker asked for a job and got none. */
  foundNone(): void {
    this.#isDry = true;
    this.#wasDry = true;
  }

  /** What was counted since the last call; undefined where nothing happened. */
  take(): Counts | undefined {
    const now = this.#sumUp();
    const counts = this.#counts;
    if (!this.#wasDry) Object.assign(counts, { fullMs: (now - this.#takenAt) * this.#slots, fullEnds: counts.ends });
    this.#takenAt = now;
    this.#wasDry = this.#isDry;
    this.#counts = noCounts();
    return counts.busyMs > 0 || counts.starts > 0 ? counts : undefined;
  }

  #sumUp(): number {
    const now = this.#now();
    this.#counts.busyMs += this.#running * (now - this.#summedAt);
    this.#summedAt = now;
    return now;
  }
}
