import {
  applyEvent,
  applySnapshot,
  isFinal,
  type JobEvent,
  type JobTarget,
  leavesHole,
  type Snapshot,
  type WatchedJob,
  type WatchResult,
} from '@spillway/contracts';
import { refusal } from './api-error.ts';
import { bounded } from './bounded.ts';
import type { DrivenWatch } from './job-watch.ts';
import type { KeptJobs } from './kept-jobs.ts';
import type { Subject } from './subject.ts';

export interface WatchedJobOptions {
  /** Log lines, and output chunks, that are held; the oldest are dropped. */
  linesMax: number;
  kept: KeptJobs | undefined;
  /** Nobody watches it any more. */
  onEmpty(): void;
}

/** One job that at least one watch follows: what is held of it, and the events that wait for an answer. */
export class WatchedJobSubject implements Subject {
  readonly id: string;
  readonly #options: WatchedJobOptions;
  readonly #watches = new Set<DrivenWatch>();
  #held: WatchedJob | undefined;
  /**
   * Events that came after the latest question and before its answer; undefined once that is answered. Each question
   * brings a new array, so the array also stands for the question.
   */
  #early: JobEvent[] | undefined;
  /** Events that were folded since watches were last told. */
  #news: JobEvent[] = [];

  constructor(id: string, options: WatchedJobOptions) {
    this.id = id;
    this.#options = options;
    this.#held = options.kept?.read(id);
  }

  get isOver(): boolean {
    return this.#held !== undefined && (isFinal(this.#held.job.state) || this.#held.removed === true);
  }

  add(watch: DrivenWatch): void {
    this.#watches.add(watch);
    if (this.#held) watch.update(this.#held);
  }

  remove(watch: DrivenWatch): void {
    if (this.#watches.delete(watch) && this.#watches.size === 0) this.#options.onEmpty();
  }

  target(): JobTarget {
    return { job: this.id, ...(this.#held && { after: this.#held.cursor }) };
  }

  ask(): object {
    this.#early = [];
    return this.#early;
  }

  awaits(question: object): boolean {
    return this.#early === question;
  }

  answer(result: Exclude<WatchResult, { error: unknown }>): void {
    if (!('snapshot' in result)) return;
    const early = this.#early ?? [];
    this.#early = undefined;
    this.takeSnapshot(result.snapshot);
    for (const event of early) this.take(event);
  }

  take(event: JobEvent): boolean {
    if (this.#early || !this.#held) {
      this.#early?.push(event);
      return false;
    }
    if (leavesHole(this.#held, event)) {
      // Nothing of what follows is shown before the hole is filled: an end would be told without its last lines.
      this.#early = [];
      return true;
    }
    const next = applyEvent(this.#held, event);
    if (next === this.#held) return false;
    this.#held = bounded(next, this.#options.linesMax);
    this.#news.push(event);
    return false;
  }

  takeSnapshot(snapshot: Snapshot): void {
    // While a question is open its answer decides: this one may be from before.
    if (!this.#early) this.#held = bounded(applySnapshot(this.#held, snapshot), this.#options.linesMax);
  }

  publish(): void {
    const held = this.#held;
    const news = this.#news;
    if (!held || this.#early) return;
    this.#news = [];
    const { isOver } = this;
    if (!isOver) this.#options.kept?.write(held);
    for (const watch of [...this.#watches]) {
      if (news.length > 0) watch.tell(news);
      if (isFinal(held.job.state)) watch.finish(held);
      else if (held.removed) watch.fail(removed(this.id));
      else watch.update(held);
    }
    if (isOver) this.#options.kept?.remove(this.id);
  }

  fail(error: Error): void {
    this.#options.kept?.remove(this.id);
    for (const watch of [...this.#watches]) watch.fail(error);
  }

  close(): void {
    for (const watch of [...this.#watches]) watch.close();
  }
}

function removed(id: string): Error {
  return refusal({ code: 'job_not_found', message: `Job ${id} was removed while it was watched` });
}
