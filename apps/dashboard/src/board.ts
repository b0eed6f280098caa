import {
  ApiError,
  type Client,
  type Job,
  type JobState,
  type JobWatch,
  type QueueInfo,
  type WatchedJob,
} from '@spillway/client';
import { isFinal } from '@spillway/contracts';

/** Which jobs the list shows. */
export type Filter = JobState | 'all';

/** What the page shows of jobs and server at one moment. */
export interface BoardView {
  jobs: readonly Job[];
  /** Whether the server has more jobs than are listed. */
  more: boolean;
  opened: OpenedJob | undefined;
  /** Why the server cannot be asked at the moment; undefined while it answers. */
  trouble: string | undefined;
  /** Jobs at work and in line, of all queues, and the workers that serve them. */
  totals: { active: number; waiting: number; workers: number } | undefined;
  /** Undefined before the first answer. */
  queues: readonly QueueInfo[] | undefined;
}

/** The job that is looked at closely. */
export type OpenedJob =
  | { id: string; kind: 'loading' }
  | { id: string; kind: 'shown'; watched: WatchedJob }
  | { id: string; kind: 'missing'; why: string };

const REFRESH_MS = 4_000;
const REFRESH_SOON_MS = 500;
const PAGE = 20;
const LIST_MAX = 100;

/**
 * The jobs on the page: the list is read again every few seconds, and each listed job that has not ended is watched live,
 * as is the opened one. One board belongs to one client; `close` ends all of it.
 */
export class Board {
  readonly #client: Client;
  readonly #onDenied: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #watches = new Map<string, JobWatch>();
  /** Live states, newer than the list's. */
  readonly #live = new Map<string, WatchedJob>();
  #listed: Job[] = [];
  #filter: Filter = 'all';
  #limit = PAGE;
  #more = false;
  #opened: OpenedJob | undefined;
  #trouble: string | undefined;
  #totals: BoardView['totals'];
  #queues: BoardView['queues'];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #soon = false;
  #view: BoardView | undefined;
  #frame: number | undefined;
  #closed = false;

  constructor(client: Client, { onDenied }: { onDenied: () => void }) {
    this.#client = client;
    this.#onDenied = onDenied;
  }

  get view(): BoardView {
    this.#view ??= {
      jobs: this.#listed.map((job) => this.#live.get(job.id)?.job ?? job),
      more: this.#more && this.#limit < LIST_MAX,
      opened: this.#opened,
      trouble: this.#trouble,
      totals: this.#totals,
      queues: this.#queues,
    };
    return this.#view;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    void this.refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#client.close();
  }

  show(filter: Filter): void {
    this.#filter = filter;
    this.#limit = PAGE;
    void this.refresh();
  }

  showMore(): void {
    this.#limit = Math.min(LIST_MAX, this.#limit * 2);
    void this.refresh();
  }

  /** A job that was just submitted is on the page before the list is read again. */
  add(job: Job): void {
    if (this.#filter === 'all' || this.#filter === job.state) this.#listed = [job, ...this.#listed];
    this.open(job.id);
    this.#watchListed();
  }

  open(id: string | undefined): void {
    if (id === this.#opened?.id) return;
    const before = this.#opened?.id;
    const watched = id && this.#live.get(id);
    if (!id) this.#opened = undefined;
    else this.#opened = watched ? { id, kind: 'shown', watched } : { id, kind: 'loading' };
    // A job that has ended is watched too: the answer brings its log, output and result at once.
    if (id && !watched && !this.#watches.has(id)) this.#watch(id);
    if (before) this.#watchListed();
    this.#changed();
  }

  /** Looks at a job again that has ended and was retried. */
  reopen(job: Job): void {
    this.#unwatch(job.id);
    this.#live.delete(job.id);
    this.#listed = this.#listed.map((listed) => (listed.id === job.id ? job : listed));
    this.#watch(job.id);
    this.#changed();
  }

  /** Takes a deleted job off the page. */
  forget(id: string): void {
    this.#unwatch(id);
    this.#live.delete(id);
    this.#listed = this.#listed.filter((job) => job.id !== id);
    if (this.#opened?.id === id) this.#opened = undefined;
    this.#changed();
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#soon = false;
    // A hidden page asks nothing; it looks again as soon as it is seen.
    if (document.visibilityState === 'visible') await this.#read();
    if (this.#closed || this.#soon) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), REFRESH_MS);
  }

  /** A job that moved changes the totals; many that move at once are one question. */
  #refreshSoon(): void {
    if (this.#closed || this.#soon) return;
    this.#soon = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), REFRESH_SOON_MS);
  }

  async #read(): Promise<void> {
    const [filter, limit] = [this.#filter, this.#limit];
    try {
      const [list, queues, workers] = await Promise.all([
        this.#client.list({ limit, ...(filter !== 'all' && { state: filter }) }),
        this.#client.queues(),
        this.#client.workers(),
      ]);
      // The answer to a question that is no longer asked would bring back the list before.
      if (this.#closed || filter !== this.#filter || limit !== this.#limit) return;
      this.#listed = list.jobs.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
      this.#more = list.next !== undefined;
      this.#queues = queues.toSorted((a, b) => a.name.localeCompare(b.name));
      this.#totals = {
        active: sum(queues.map(({ counts }) => counts.active)),
        waiting: sum(queues.map(({ counts }) => counts.waiting + counts.delayed + counts.blocked)),
        workers: workers.length,
      };
      this.#trouble = undefined;
      this.#watchListed();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return this.#onDenied();
      this.#trouble = error instanceof ApiError ? error.problem.title : 'The server does not answer';
    }
    this.#changed();
  }

  /** Watches what is listed and has not ended, and the opened job; lets go of everything else. */
  #watchListed(): void {
    const wanted = new Set(this.#listed.filter(({ state }) => !isFinal(state)).map(({ id }) => id));
    if (this.#opened?.kind !== 'missing' && this.#opened) wanted.add(this.#opened.id);
    const kept = new Set([...wanted, ...this.#listed.map(({ id }) => id)]);
    for (const id of this.#watches.keys()) if (!kept.has(id)) this.#unwatch(id);
    for (const id of this.#live.keys()) if (!kept.has(id)) this.#live.delete(id);
    for (const id of wanted) if (!this.#watches.has(id) && !this.#hasEnded(id)) this.#watch(id);
  }

  #hasEnded(id: string): boolean {
    const live = this.#live.get(id);
    return live !== undefined && isFinal(live.job.state);
  }

  #watch(id: string): void {
    const watch = this.#client.watch(id);
    this.#watches.set(id, watch);
    watch.onChange((watched) => {
      if (this.#live.get(id)?.job.state !== watched.job.state) this.#refreshSoon();
      this.#live.set(id, watched);
      if (this.#opened?.id === id) this.#opened = { id, kind: 'shown', watched };
      this.#changed();
    });
    const over = () => {
      if (this.#watches.get(id) === watch) this.#watches.delete(id);
    };
    watch.done.then(over, (error: unknown) => {
      if (this.#watches.get(id) !== watch) return;
      over();
      this.#lost(id, error);
    });
  }

  #lost(id: string, error: unknown): void {
    if (this.#closed) return;
    if (error instanceof ApiError && error.status === 401) {
      this.#onDenied();
      return;
    }
    this.#live.delete(id);
    if (this.#opened?.id === id) {
      this.#opened = { id, kind: 'missing', why: error instanceof Error ? error.message : String(error) };
    }
    this.#changed();
  }

  #unwatch(id: string): void {
    const watch = this.#watches.get(id);
    this.#watches.delete(id);
    watch?.close();
  }

  /** Many events in one frame are one drawing. A hidden page has no frames, and draws when it is seen again. */
  #changed(): void {
    this.#view = undefined;
    if (this.#closed || this.#frame !== undefined) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#view = undefined;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
