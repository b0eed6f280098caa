import type { JobEvent } from '@spillway/contracts';

/**
 * What a room is to be told next. Of the progress values of a job only the latest is kept: many jobs in one frame are
 * looked at as bars, and a bar shows one value.
 */
export class SetFrame {
  #events: (JobEvent | undefined)[] = [];
  /** Where each job's latest report stands. */
  readonly #reports = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  push(event: JobEvent): void {
    if (event.kind === 'report') {
      // Taken out and put behind what came since: in its old place it would push that below the job's position.
      const earlier = this.#reports.get(event.job);
      if (earlier !== undefined) this.#events[earlier] = undefined;
      this.#reports.set(event.job, this.#events.length);
    }
    this.#events.push(event);
  }

  /** Everything since the last call, in order. */
  take(): JobEvent[] {
    const events = this.#events.filter((event) => event !== undefined);
    this.#events = [];
    this.#reports.clear();
    return events;
  }
}
