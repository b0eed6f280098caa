import {
  applyEvent,
  type Batch,
  comparePositions,
  type Job,
  type JobEvent,
  type SetTarget,
  type Snapshot,
  type WatchedJob,
  type WatchResult,
} from '@spillway/contracts';
import type { DrivenSetWatch, JobsById } from './set-watch.ts';
import type { Subject } from './subject.ts';

export interface WatchedSetOptions {
  /** Nobody watches it any more. */
  onEmpty(): void;
}

/** A batch or a tag that at least one watch follows: what is held of its jobs, and the events that wait for an answer. */
export class WatchedSetSubject implements Subject {
  readonly isOver = false;
  readonly #of: SetTarget;
  readonly #options: WatchedSetOptions;
  readonly #watches = new Set<DrivenSetWatch>();
  readonly #held = new Map<string, WatchedJob>();
  readonly #jobs = new Map<string, Job>();
  /** Events that came after the latest question and before its answer. */
  #early: JobEvent[] | undefined;
  #total: number | undefined;
  #aggregate: Batch | undefined;
  /** When the newest job of the answer was made; '' where it named every job there was. Later ones are new members. */
  #newestAt = '';
  #changed = false;

  constructor(of: SetTarget, options: WatchedSetOptions) {
    this.#of = of;
    this.#options = options;
  }

  get jobs(): JobsById {
    return this.#jobs;
  }

  get total(): number | undefined {
    return this.#total;
  }

  get aggregate(): Batch | undefined {
    return this.#aggregate;
  }

  add(watch: DrivenSetWatch): void {
    this.#watches.add(watch);
  }

  remove(watch: DrivenSetWatch): void {
    if (this.#watches.delete(watch) && this.#watches.size === 0) this.#options.onEmpty();
  }

  target(): SetTarget {
    return this.#of;
  }

  ask(): object {
    this.#early = [];
    return this.#early;
  }

  awaits(question: object): boolean {
    return this.#early === question;
  }

  /** The answer is the truth about its jobs. Known ones that it does not name are older than those, or gone: they are forgotten. */
  answer(result: Exclude<WatchResult, { error: unknown }>): void {
    if (!('jobs' in result)) return;
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#held.clear();
    this.#jobs.clear();
    for (const snapshot of result.jobs) this.#hold(snapshot);
    this.#total = result.total;
    this.#aggregate = result.aggregate;
    const isWhole = result.jobs.length >= result.total;
    this.#newestAt = isWhole ? '' : result.jobs.map(({ job }) => job.createdAt).reduce((a, b) => (a > b ? a : b), '');
    this.#changed = true;
    for (const event of early) this.take(event);
  }

  take(event: JobEvent): boolean {
    if (this.#early) {
      this.#early.push(event);
      return false;
    }
    const held = this.#held.get(event.job);
    if (event.kind === 'removed') this.#forget(event.job);
    else if (event.kind === 'joined') this.#join(event.snapshot, held);
    else if (held) this.#hold(applyEvent(held, withoutLines(event)));
    return false;
  }

  takeSnapshot(snapshot: Snapshot): void {
    if (!this.#early && this.#includes(snapshot.job)) this.#hold(snapshot);
  }

  /** One that comes before the answer is repeated after it. */
  takeAggregate(batch: Batch): void {
    if (this.#early) return;
    this.#aggregate = batch;
    this.#changed = true;
  }

  publish(): void {
    if (!this.#changed) return;
    this.#changed = false;
    for (const watch of [...this.#watches]) watch.update();
  }

  fail(error: Error): void {
    for (const watch of [...this.#watches]) watch.fail(error);
  }

  close(): void {
    for (const watch of [...this.#watches]) watch.close();
  }

  #join(snapshot: Snapshot, held: WatchedJob | undefined): void {
    if (!this.#includes(snapshot.job)) return;
    // Members that were there before are told as joined too, where the answer left them out; they are counted already.
    if (!held && snapshot.job.createdAt > this.#newestAt) this.#total = (this.#total ?? 0) + 1;
    if (!held || comparePositions(snapshot.cursor.pos, held.cursor.pos) > 0) this.#hold(snapshot);
  }

  #forget(id: string): void {
    this.#held.delete(id);
    this.#jobs.delete(id);
    this.#total = Math.max(0, (this.#total ?? 0) - 1);
    this.#changed = true;
  }

  #hold(held: WatchedJob): void {
    if (this.#held.get(held.job.id) === held) return;
    this.#held.set(held.job.id, { ...held, log: [], output: [] });
    this.#jobs.set(held.job.id, held.job);
    this.#changed = true;
  }

  #includes(job: Job): boolean {
    return 'batch' in this.#of ? job.batch === this.#of.batch : (job.tags?.includes(this.#of.tag) ?? false);
  }
}

/** A set holds states and progress. Lines would be a log with holes, as sets are not told them. */
function withoutLines(event: JobEvent): JobEvent {
  return event.kind === 'report' ? { ...event, log: [], output: [] } : event;
}
