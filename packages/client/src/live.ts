import {
  applyEvent,
  applySnapshot,
  isFinal,
  type JobError,
  type JobEvent,
  type JobWatchResult,
  leavesHole,
  type WatchedJob,
  type WatchReply,
} from '@spillway/contracts';
import { refusal } from './api-error.ts';
import { createJobWatch, type DrivenWatch, type JobWatch } from './job-watch.ts';
import type { CreateTransport, Transport } from './transport.ts';

/** `idle` while nothing is watched, `live` while events flow; the other two are on the way there for the first time and again. */
export type ConnectionState = 'idle' | 'connecting' | 'live' | 'reconnecting';

/** The one connection that all watches of a client share: opened by the first, closed with the last. */
export interface LiveConnection {
  readonly state: ConnectionState;
  /** Calls `listener` now and after each change. Returns what takes it off again. */
  onChange(listener: (state: ConnectionState) => void): () => void;
}

/** Targets in one request; more go in several. */
const TARGETS_PER_REQUEST = 100;
/** Pause before a watch without an answer is asked for again, on a connection that stands. */
const ASK_AGAIN_MS = 1_000;

interface Watched {
  readonly id: string;
  readonly watches: Set<DrivenWatch>;
  held: WatchedJob | undefined;
  /**
   * Events that came after the latest question and before its answer; undefined once that is answered. Each question
   * brings a new array, so the array also tells whether an answer belongs to the latest one.
   */
  early: JobEvent[] | undefined;
}

/**
 * Keeps what is watched true: asks for a snapshot, holds back events that come before it, folds what follows, and asks
 * again from where it stands after every reconnect, when the server declares a loss, and when a numbered line is missing.
 */
export class Live implements LiveConnection {
  readonly #jobs = new Map<string, Watched>();
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #createTransport: CreateTransport;
  #transport: Transport | undefined;
  #state: ConnectionState = 'idle';
  #toAsk = new Set<Watched>();
  /** Jobs whose question got no answer, and the pause before it is put again. */
  readonly #unanswered = new Set<Watched>();
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(createTransport: CreateTransport) {
    this.#createTransport = createTransport;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  onChange(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  watch(id: string): JobWatch {
    const job = this.#jobs.get(id) ?? this.#add(id);
    const watch = createJobWatch(id, (ended) => this.#detach(job, ended));
    job.watches.add(watch);
    if (job.held) watch.update(job.held);
    this.#open();
    return watch;
  }

  /** Closes every watch, and with them the connection. */
  close(): void {
    for (const { watches } of [...this.#jobs.values()]) for (const watch of [...watches]) watch.close();
  }

  #add(id: string): Watched {
    const job: Watched = { id, watches: new Set(), held: undefined, early: undefined };
    this.#jobs.set(id, job);
    this.#askFor([job]);
    return job;
  }

  #detach(job: Watched, watch: DrivenWatch): void {
    job.watches.delete(watch);
    if (job.watches.size > 0 || this.#jobs.get(job.id) !== job) return;
    this.#jobs.delete(job.id);
    this.#toAsk.delete(job);
    if (this.#jobs.size > 0) this.#transport?.unwatch([job.id]);
    else this.#shut();
  }

  #open(): void {
    if (this.#transport) return;
    this.#setState('connecting');
    this.#transport = this.#createTransport({
      up: () => this.#up(),
      down: () => this.#down(),
      events: (events) => this.#take(events),
      resync: (ids) => this.#askFor(ids.flatMap((id) => this.#jobs.get(id) ?? [])),
      refused: (error) => this.#failAll(error),
    });
    this.#transport.open();
  }

  #shut(): void {
    this.#forgetQuestions();
    this.#transport?.close();
    this.#transport = undefined;
    this.#setState('idle');
  }

  #up(): void {
    this.#setState('live');
    this.#askFor([...this.#jobs.values()]);
  }

  #down(): void {
    this.#forgetQuestions();
    this.#setState('reconnecting');
    // An answer to a question from before is worth nothing now: events may have passed in between.
    for (const job of this.#jobs.values()) job.early = [];
  }

  #failAll(error: Error): void {
    for (const { watches } of [...this.#jobs.values()]) for (const watch of [...watches]) watch.fail(error);
  }

  /** Asks for these jobs' snapshots, together with all others that are wanted in the same turn, once the line is up. */
  #askFor(jobs: Watched[]): void {
    const scheduled = this.#toAsk.size > 0;
    for (const job of jobs) {
      job.early = [];
      this.#toAsk.add(job);
    }
    if (!scheduled && this.#toAsk.size > 0) queueMicrotask(() => this.#ask());
  }

  #ask(): void {
    const jobs = [...this.#toAsk];
    this.#toAsk.clear();
    // While the line is down the question can wait: `up` asks for everything.
    if (this.#state !== 'live') return;
    for (let from = 0; from < jobs.length; from += TARGETS_PER_REQUEST) {
      void this.#request(jobs.slice(from, from + TARGETS_PER_REQUEST));
    }
  }

  async #request(jobs: Watched[]): Promise<void> {
    const transport = this.#transport;
    if (!transport) return;
    const asked = new Map(jobs.map((job) => [job, job.early]));
    const reply = await transport
      .watch(jobs.map(({ id, held }) => ({ job: id, ...(held && { after: held.cursor }) })))
      .catch((): WatchReply => ({ error: { code: 'unavailable', message: 'no answer in time' } }));
    const open = jobs.filter((job) => this.#jobs.get(job.id) === job && job.early && job.early === asked.get(job));
    if ('error' in reply) return this.#refused(open, reply.error);
    const results = new Map(
      reply.results.flatMap((result) => ('job' in result ? [[result.job, result] as const] : [])),
    );
    for (const job of open) {
      const result = results.get(job.id);
      if (result) this.#answer(job, result);
      else this.#askLater([job]);
    }
  }

  #refused(jobs: Watched[], error: JobError): void {
    const refused = refusal(error);
    if (refused.retryable) this.#askLater(jobs);
    else for (const { watches } of jobs) for (const watch of [...watches]) watch.fail(refused);
  }

  #askLater(jobs: Watched[]): void {
    for (const job of jobs) this.#unanswered.add(job);
    this.#pause ??= setTimeout(() => {
      const open = [...this.#unanswered].filter((job) => this.#jobs.get(job.id) === job);
      this.#forgetQuestions();
      this.#askFor(open);
    }, ASK_AGAIN_MS);
  }

  #forgetQuestions(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#unanswered.clear();
    this.#toAsk.clear();
  }

  #answer(job: Watched, result: JobWatchResult): void {
    if ('error' in result) {
      this.#refused([job], result.error);
      return;
    }
    const { early = [] } = job;
    job.early = undefined;
    job.held = applySnapshot(job.held, result.snapshot);
    for (const event of early) this.#fold(job, event);
    this.#publish(job);
  }

  #take(events: JobEvent[]): void {
    const changed = new Set<Watched>();
    for (const event of events) {
      const job = this.#jobs.get(event.job);
      if (!job) continue;
      this.#fold(job, event);
      changed.add(job);
    }
    for (const job of changed) this.#publish(job);
  }

  #fold(job: Watched, event: JobEvent): void {
    if (job.early || !job.held) job.early?.push(event);
    else if (leavesHole(job.held, event)) this.#askFor([job]);
    else job.held = applyEvent(job.held, event);
  }

  #publish(job: Watched): void {
    const { held } = job;
    if (!held) return;
    for (const watch of [...job.watches]) {
      if (isFinal(held.job.state)) watch.finish(held);
      else if (held.removed) watch.fail(removed(job.id));
      else watch.update(held);
    }
  }

  #setState(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function removed(id: string): Error {
  return refusal({ code: 'job_not_found', message: `Job ${id} was removed while it was watched` });
}
