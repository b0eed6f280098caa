import type {
  Batch,
  Command,
  ControlReply,
  JobError,
  JobEvent,
  OpsTarget,
  SetTarget,
  Snapshot,
  WatchReply,
  WatchTarget,
} from '@spillway/contracts';
import { type ApiError, refusal } from './api-error.ts';
import type { Credentials } from './credentials.ts';
import { Outbox } from './outbox.ts';
import type { Subject } from './subject.ts';
import { nameOfTarget } from './target-name.ts';
import type { CreateTransport, Transport, Via } from './transport.ts';

/** `idle` while nothing is watched, `live` while events flow; the other two are on the way there for the first time and again. */
export type ConnectionState = 'idle' | 'connecting' | 'live' | 'reconnecting';

/** What all watches of a client share: opened by the first, closed with the last. */
export interface LiveConnection {
  readonly state: ConnectionState;
  /** What carries the events while `live`; undefined otherwise. */
  readonly via: Via | undefined;
  /** Calls `listener` now and after each change. Returns what takes it off again. */
  onChange(listener: (state: ConnectionState) => void): () => void;
}

/** Targets in one request; more go in several. */
const TARGETS_PER_REQUEST = 100;
/** Pause before a watch without an answer is asked for again, on a connection that stands. */
const ASK_AGAIN_MS = 1_000;
/** A new token that is refused so soon is no better than the one before. */
const RENEWED_JUST_NOW_MS = 10_000;
/** The longest time that a timer can wait. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * Keeps what is watched true: asks for snapshots, hands on what follows, and asks again after every reconnect, when the
 * server declares a loss, and when a subject misses something. Renews the token before it runs out.
 */
export class Live implements LiveConnection {
  readonly #subjects = new Map<string, Subject>();
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #createTransport: CreateTransport;
  readonly #credentials: Credentials;
  readonly #outbox = new Outbox(() => this.#shutIfUnused());
  #transport: Transport | undefined;
  #state: ConnectionState = 'idle';
  #via: Via | undefined;
  #toAsk = new Set<Subject>();
  /** Subjects whose question got no answer, and the pause before it is put again. */
  readonly #unanswered = new Set<Subject>();
  #pause: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<string> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(createTransport: CreateTransport, credentials: Credentials) {
    this.#createTransport = createTransport;
    this.#credentials = credentials;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get via(): Via | undefined {
    return this.#state === 'live' ? this.#via : undefined;
  }

  onChange(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  get(target: WatchTarget): Subject | undefined {
    return this.#subjects.get(nameOfTarget(target));
  }

  add(subject: Subject): void {
    this.#subjects.set(nameOfTarget(subject.target()), subject);
    this.#askFor([subject]);
    this.#open();
  }

  /** Stops watching it. A second call does nothing. */
  remove(subject: Subject): void {
    const target = subject.target();
    const name = nameOfTarget(target);
    if (this.#subjects.get(name) !== subject) return;
    this.#subjects.delete(name);
    this.#toAsk.delete(subject);
    if (this.#subjects.size > 0 || !this.#outbox.isEmpty) this.#transport?.unwatch([bare(target)], subject.isOver);
    this.#shutIfUnused();
  }

  /** Gives an order to a job, and sees to it that it arrives. @throws ApiError where the server refuses. */
  command(order: Omit<Command, 'id'>): Promise<ControlReply> {
    const reply = this.#outbox.send(order);
    this.#open();
    return reply;
  }

  /** Closes every watch, and with them the connection. */
  close(): void {
    for (const subject of [...this.#subjects.values()]) subject.close();
    this.#outbox.close();
  }

  #open(): void {
    if (this.#transport) return;
    this.#setState('connecting');
    this.#transport = this.#createTransport({
      up: (via) => this.#up(via),
      down: () => this.#down(),
      events: (events, set) => this.#take(events, set),
      snapshot: (snapshot, set) => this.#takeSnapshot(snapshot, set),
      aggregate: (batch) => this.#takeAggregate(batch),
      resync: (targets) => this.#askFor(this.#named(targets)),
      denied: (targets, error) => void this.#denied(this.#named(targets), error),
      refused: (error) => void this.#refusedAtTheDoor(error),
    });
    this.#transport.open();
  }

  #shutIfUnused(): void {
    if (this.#subjects.size > 0 || !this.#outbox.isEmpty) return;
    this.#forgetQuestions();
    clearTimeout(this.#renewal);
    this.#outbox.down();
    this.#transport?.close();
    this.#transport = undefined;
    this.#setState('idle');
  }

  #up(via: Via): void {
    this.#via = via;
    this.#setState('live');
    this.#renewInTime();
    this.#askFor([...this.#subjects.values()]);
    if (this.#transport) this.#outbox.up(this.#transport);
  }

  #down(): void {
    this.#forgetQuestions();
    clearTimeout(this.#renewal);
    this.#outbox.down();
    this.#setState('reconnecting');
    // An answer to a question from before is worth nothing now: events may have passed in between.
    for (const subject of this.#subjects.values()) subject.ask();
  }

  #failAll(error: Error): void {
    for (const subject of [...this.#subjects.values()]) subject.fail(error);
    this.#outbox.fail(error);
  }

  #named(targets: WatchTarget[]): Subject[] {
    return targets.flatMap((target) => this.get(target) ?? []);
  }

  /** Asks for these subjects' snapshots, together with all others that are wanted in the same turn, once the line is up. */
  #askFor(subjects: Subject[]): void {
    const scheduled = this.#toAsk.size > 0;
    for (const subject of subjects) {
      subject.ask();
      this.#toAsk.add(subject);
    }
    if (!scheduled && this.#toAsk.size > 0) queueMicrotask(() => this.#ask());
  }

  #ask(): void {
    const subjects = [...this.#toAsk];
    this.#toAsk.clear();
    // While the line is down the question can wait: `up` asks for everything.
    if (this.#state !== 'live') return;
    for (let from = 0; from < subjects.length; from += TARGETS_PER_REQUEST) {
      void this.#request(subjects.slice(from, from + TARGETS_PER_REQUEST));
    }
  }

  async #request(subjects: Subject[]): Promise<void> {
    const transport = this.#transport;
    if (!transport) return;
    const questions = subjects.map((subject) => ({ subject, question: subject.ask() }));
    const reply = await transport
      .watch(subjects.map((subject) => subject.target()))
      .catch((): WatchReply => ({ error: { code: 'unavailable', message: 'no answer in time' } }));
    const open = questions
      .filter(({ subject, question }) => this.#has(subject) && subject.awaits(question))
      .map(({ subject }) => subject);
    if ('error' in reply) return this.#unable(open, reply.error);
    const results = new Map(reply.results.map((result) => [nameOfTarget(result), result]));
    for (const subject of open) {
      const result = results.get(nameOfTarget(subject.target()));
      if (!result) this.#askLater([subject]);
      else if ('error' in result) this.#unable([subject], result.error);
      else {
        subject.answer(result);
        subject.publish();
      }
    }
  }

  #has(subject: Subject): boolean {
    return this.#subjects.get(nameOfTarget(subject.target())) === subject;
  }

  #unable(subjects: Subject[], error: JobError): void {
    const refused = refusal(error);
    if (refused.retryable) this.#askLater(subjects);
    else if (subjects.length > 0) void this.#denied(subjects, error);
  }

  #askLater(subjects: Subject[]): void {
    for (const subject of subjects) this.#unanswered.add(subject);
    this.#pause ??= setTimeout(() => {
      const open = [...this.#unanswered].filter((subject) => this.#has(subject));
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

  #take(events: JobEvent[], set?: SetTarget | OpsTarget): void {
    const changed = new Set<Subject>();
    const incomplete = new Set<Subject>();
    for (const event of events) {
      for (const subject of this.#concerned(set ?? { job: event.job })) {
        if (subject.take(event)) incomplete.add(subject);
        changed.add(subject);
      }
    }
    for (const subject of changed) subject.publish();
    this.#askFor([...incomplete]);
  }

  #takeSnapshot(snapshot: Snapshot, set?: SetTarget | OpsTarget): void {
    for (const subject of this.#concerned(set ?? { job: snapshot.job.id })) {
      subject.takeSnapshot(snapshot);
      subject.publish();
    }
  }

  #takeAggregate(batch: Batch): void {
    for (const subject of this.#concerned({ batch: batch.id })) {
      subject.takeAggregate?.(batch);
      subject.publish();
    }
  }

  #concerned(target: WatchTarget): Subject[] {
    const subject = this.get(target);
    return subject ? [subject] : [];
  }

  /** The right to watch these has ended, or was never there. With a new token they are asked for again. */
  async #denied(subjects: Subject[], error: JobError): Promise<void> {
    const refused = refusal(error);
    try {
      await this.#renewAfter(refused);
    } catch (cause) {
      const reason = cause instanceof Error ? cause : refused;
      for (const subject of subjects) if (this.#has(subject)) subject.fail(reason);
      return;
    }
    this.#askFor(subjects.filter((subject) => this.#has(subject)));
  }

  async #refusedAtTheDoor(error: ApiError): Promise<void> {
    const transport = this.#transport;
    try {
      await this.#renewAfter(error);
    } catch (cause) {
      return this.#failAll(cause instanceof Error ? cause : error);
    }
    if (transport === this.#transport) transport?.open();
  }

  /** @throws the refusal where a new token cannot help; whatever the source of tokens throws */
  async #renewAfter(refused: ApiError): Promise<void> {
    if (!this.#credentials.canRenew || (refused.status !== 401 && refused.status !== 403)) throw refused;
    if (!this.#renewing && Date.now() - this.#renewedAt < RENEWED_JUST_NOW_MS) throw refused;
    await this.#renew();
  }

  /** Puts a new token in the place of the old one, here and on the line. Callers at the same time share it. */
  #renew(): Promise<string> {
    this.#renewing ??= this.#exchangeToken().finally(() => {
      this.#renewing = undefined;
      this.#renewedAt = Date.now();
    });
    return this.#renewing;
  }

  async #exchangeToken(): Promise<string> {
    const token = await this.#credentials.renew();
    const reply = this.#state === 'live' ? await this.#transport?.refresh(token).catch(() => undefined) : undefined;
    if (reply && 'error' in reply) throw refusal(reply.error);
    return token;
  }

  #renewInTime(): void {
    clearTimeout(this.#renewal);
    const ms = this.#credentials.renewInMs();
    if (ms === undefined) return;
    this.#renewal = setTimeout(
      () => {
        // A renewal that fails is put off: until the old token has run out, nothing is lost.
        this.#renew()
          .catch(() => undefined)
          .finally(() => this.#state === 'live' && this.#renewInTime());
      },
      Math.min(ms, TIMER_MAX_MS),
    );
  }

  #setState(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function bare(target: WatchTarget): WatchTarget {
  return 'job' in target ? { job: target.job } : target;
}
