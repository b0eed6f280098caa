/** Most texts in one report; what comes faster waits for the next one. */
const REPORT_MAX = 500;
/**
 * Most characters of them in one report. A report is one event, 20,000 events are kept, and a reader takes 500 at once: so
 * a job that writes as much as it can costs no more than 1.3 GB of history and 32 MB in a read.
 */
const REPORT_CHARS_MAX = 65_536;
/** What may wait in memory: a job that writes faster than this is sent loses its oldest texts, not its worker. */
const WAITING_MAX = 10_000;
const WAITING_CHARS_MAX = 4_194_304;

/** The lines or chunks of one job that wait to be reported. Bounded: the oldest go first, and are counted. */
export class Backlog {
  #texts: string[] = [];
  #chars = 0;
  #dropped = 0;

  get isEmpty(): boolean {
    return this.#texts.length === 0;
  }

  /** Whether one report cannot take it all. */
  get exceedsReport(): boolean {
    return this.#texts.length > REPORT_MAX || this.#chars > REPORT_CHARS_MAX;
  }

  /** Characters that the next report may carry, at most. */
  get reportChars(): number {
    return Math.min(this.#chars, REPORT_CHARS_MAX);
  }

  push(text: string): void {
    this.#texts.push(text);
    this.#chars += text.length;
    if (this.#texts.length > WAITING_MAX || this.#chars > WAITING_CHARS_MAX) this.#drop();
  }

  /** The next report's share, and how many texts in front of it were dropped. */
  take(): { texts: string[]; dropped: number } {
    const texts = this.#texts.splice(0, this.#share());
    for (const text of texts) this.#chars -= text.length;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { texts, dropped };
  }

  #share(): number {
    let count = 0;
    let chars = 0;
    for (const text of this.#texts) {
      chars += text.length;
      // One text always goes, whatever its size.
      if (count === REPORT_MAX || (count > 0 && chars > REPORT_CHARS_MAX)) break;
      count += 1;
    }
    return count;
  }

  /** Half at once: one by one, every further text would move all that wait. */
  #drop(): void {
    const gone = this.#texts.splice(0, Math.ceil(this.#texts.length / 2));
    for (const text of gone) this.#chars -= text.length;
    this.#dropped += gone.length;
  }
}
