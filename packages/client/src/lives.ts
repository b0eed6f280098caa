import type { Command, ControlReply, SetTarget } from '@spillway/contracts';
import type { Credentials } from './credentials.ts';
import { createJobWatch, type JobWatch } from './job-watch.ts';
import type { KeptJobs } from './kept-jobs.ts';
import { type ConnectionState, Live, type LiveConnection } from './live.ts';
import { createSetWatch, type SetWatch } from './set-watch.ts';
import type { CreateTransport, Via } from './transport.ts';
import { WatchedJobSubject } from './watched-job.ts';
import { WatchedSetSubject } from './watched-set.ts';

export interface LivesOptions {
  createTransport(credentials: Credentials): CreateTransport;
  /** Those of the client itself. */
  credentials: Credentials;
  /** Those of a token that came with one watch. */
  credentialsOf(token: string): Credentials;
  linesMax: number;
  kept: KeptJobs | undefined;
}

/** What several connections are in together: the least good of those that are in use. */
const STATES = ['reconnecting', 'connecting', 'live'] as const satisfies readonly ConnectionState[];
const WAYS = ['polling', 'sse', 'websocket'] as const satisfies readonly Via[];

/** The live connections of one client. Watches share one; those with a token of their own have another, as a connection has one token. */
export class Lives implements LiveConnection {
  readonly #options: LivesOptions;
  readonly #lives = new Map<string, Live>();
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  #state: ConnectionState = 'idle';

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get via(): Via | undefined {
    const ways = [...this.#lives.values()].map(({ via }) => via);
    return this.#state === 'live' ? WAYS.find((way) => ways.includes(way)) : undefined;
  }

  onChange(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  watch(id: string, token?: string): JobWatch {
    const live = this.#live(token);
    let subject = live.get({ job: id }) as WatchedJobSubject | undefined;
    const isNew = !subject;
    subject ??= this.#makeJob(id, live);
    const job = subject;
    const watch = createJobWatch(id, {
      connection: live,
      cancel: (reason) => live.command({ job: id, do: 'cancel', reason }),
      detach: (ended) => job.remove(ended),
    });
    job.add(watch);
    if (isNew) live.add(job);
    return watch;
  }

  watchAll(of: SetTarget, token?: string): SetWatch {
    const live = this.#live(token);
    let subject = live.get(of) as WatchedSetSubject | undefined;
    const isNew = !subject;
    subject ??= this.#makeSet(of, live);
    const set = subject;
    const watch = createSetWatch({
      of,
      connection: live,
      jobs: set.jobs,
      total: () => set.total,
      aggregate: () => set.aggregate,
      detach: (ended) => set.remove(ended),
    });
    set.add(watch);
    if (isNew) live.add(set);
    return watch;
  }

  command(order: Omit<Command, 'id'>, token?: string): Promise<ControlReply> {
    return this.#live(token).command(order);
  }

  close(): void {
    this.#options.kept?.flush();
    for (const live of [...this.#lives.values()]) live.close();
  }

  #makeJob(id: string, live: Live): WatchedJobSubject {
    const { linesMax, kept } = this.#options;
    const job: WatchedJobSubject = new WatchedJobSubject(id, { linesMax, kept, onEmpty: () => live.remove(job) });
    return job;
  }

  #makeSet(of: SetTarget, live: Live): WatchedSetSubject {
    const set: WatchedSetSubject = new WatchedSetSubject(of, {
      onEmpty: () => live.remove(set),
    });
    return set;
  }

  #live(token: string | undefined): Live {
    const name = token ?? '';
    return this.#lives.get(name) ?? this.#make(name, token);
  }

  #make(name: string, token: string | undefined): Live {
    const { createTransport, credentials, credentialsOf } = this.#options;
    const shown = token === undefined ? credentials : credentialsOf(token);
    const live = new Live(createTransport(shown), shown);
    this.#lives.set(name, live);
    let wasUsed = false;
    live.onChange((state) => {
      // Tokens come and go in a page that stays open: their connection is forgotten when it is no longer used.
      if (state === 'idle' && wasUsed && token !== undefined) this.#lives.delete(name);
      wasUsed = state !== 'idle';
      this.#look();
    });
    return live;
  }

  #look(): void {
    const states = [...this.#lives.values()].map(({ state }) => state);
    const state = STATES.find((one) => states.includes(one)) ?? 'idle';
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}
