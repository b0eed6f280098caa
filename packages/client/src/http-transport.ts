import {
  type Command,
  type CommandReply,
  type ControlReply,
  isFinal,
  type JobError,
  type JobEvent,
  type JobTarget,
  type SetTarget,
  type Snapshot,
  type WatchReply,
  type WatchResult,
  type WatchTarget,
} from '@spillway/contracts';
import { ApiError, UnreachableError } from './api-error.ts';
import type { StreamEvent } from './event-stream.ts';
import type { Http } from './http.ts';
import { type JobStream, NoStreamError, openJobStream } from './job-stream.ts';
import { createPollRound, type PollRound } from './poll-round.ts';
import { pollJob, pollSet } from './polling.ts';
import { nameOfTarget, targetOfName } from './target-name.ts';
import type { CreateTransport, Transport, TransportListener } from './transport.ts';

export interface HttpTransportOptions {
  http: Http;
  /** Whether the server answers at all. */
  probe: () => Promise<boolean>;
  /** Jobs that get a stream of their own; the rest is polled. */
  streams: number;
  pollMs: number;
  /** A stream that brings no byte in this time is held back by a proxy on the way: then everything is polled. */
  firstByteMs: number;
}

/** Pause before a stream that broke off is opened again. */
const REOPEN_MS = 1_000;

/** Server-Sent Events through fetch, which can send a header, and polling for what gets no stream. */
export function httpTransport(options: HttpTransportOptions): CreateTransport {
  return (listener) => new HttpTransport(options, listener);
}

/** One watched thing: how it is read, and what ends that. */
interface Reading {
  readonly name: string;
  readonly abort: AbortController;
  streamed: boolean;
}

class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #listener: TransportListener;
  readonly #readings = new Map<string, Reading>();
  readonly #round: PollRound;
  /**
   * The id that each job's stream came to last, to resume from. It is forgotten when the job is asked for while its stream
   * stands: something was missing then, and what comes must begin before the hole.
   */
  readonly #ids = new Map<string, string>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #streamsMax: number;
  #isUp = false;
  #closed = false;

  constructor(options: HttpTransportOptions, listener: TransportListener) {
    this.#options = options;
    this.#listener = listener;
    this.#streamsMax = options.streams;
    this.#round = createPollRound(options.pollMs, (name, error) => this.#pollFailed(name, error));
  }

  open(): void {
    this.#after(0, () => void this.#reach());
  }

  close(): void {
    this.#closed = true;
    this.#stopAll();
    this.#round.close();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async watch(targets: WatchTarget[]): Promise<WatchReply> {
    return { results: await Promise.all(targets.map((target) => this.#start(target))) };
  }

  unwatch(targets: WatchTarget[]): void {
    for (const target of targets) {
      this.#stop(nameOfTarget(target));
      if ('job' in target) this.#ids.delete(target.job);
    }
    this.#fillFreeStream();
  }

  async command({ job, reason }: Command): Promise<CommandReply> {
    try {
      const body = reason && { reason };
      return await this.#options.http.json<ControlReply>('POST', `/v1/jobs/${encodeURIComponent(job)}/cancel`, {
        body,
      });
    } catch (error) {
      return { error: errorOf(error) };
    }
  }

  /** Nothing to be told: each request shows the token of its time. */
  async refresh(): Promise<{ expiresAt: string }> {
    return { expiresAt: '' };
  }

  async #start(target: WatchTarget): Promise<WatchResult> {
    const name = nameOfTarget(target);
    if (this.#readings.get(name)?.streamed && 'job' in target) this.#ids.delete(target.job);
    this.#stop(name);
    const streamed = 'job' in target && this.#streamCount() < this.#streamsMax;
    const reading: Reading = { name, abort: new AbortController(), streamed };
    this.#readings.set(name, reading);
    try {
      if ('job' in target) return { job: target.job, snapshot: await this.#firstOfJob(reading, target) };
      return await this.#pollSet(reading, target as SetTarget);
    } catch (error) {
      if (this.#readings.get(name) === reading) this.#stop(name);
      this.#noteUnreachable(error);
      return { ...target, error: errorOf(error) } as WatchResult;
    }
  }

  async #firstOfJob(reading: Reading, target: JobTarget): Promise<Snapshot> {
    if (!reading.streamed) return this.#pollJob(reading, target);
    try {
      return await this.#streamJob(reading, target.job);
    } catch (error) {
      if (!(error instanceof NoStreamError)) throw error;
      reading.streamed = false;
      this.#giveUpStreams();
      return this.#pollJob(reading, target);
    }
  }

  async #streamJob(reading: Reading, job: string): Promise<Snapshot> {
    const { http, firstByteMs } = this.#options;
    const lastId = this.#ids.get(job);
    const stream = await openJobStream({ http, job, lastId, firstByteMs, signal: reading.abort.signal });
    if (reading.abort.signal.aborted) void stream.rest.return();
    else this.#ids.set(job, stream.id);
    void this.#follow(reading, job, stream);
    return stream.snapshot;
  }

  /** Passes on what the stream brings; opens it again where it ends before the job. */
  async #follow(reading: Reading, job: string, { snapshot, rest }: JobStream): Promise<void> {
    let ended = isFinal(snapshot.job.state);
    try {
      for await (const event of rest) {
        if (reading.abort.signal.aborted) return;
        this.#ids.set(job, event.id);
        ended = this.#deliver(job, event) || ended;
      }
    } catch {
      // It broke off, which is an end like any other that comes too early.
    }
    if (this.#readings.get(reading.name) !== reading) return;
    this.#readings.delete(reading.name);
    if (ended) this.#fillFreeStream();
    else this.#after(REOPEN_MS * (0.5 + Math.random()), () => this.#listener.resync([{ job }]));
  }

  /** @returns whether nothing follows any more */
  #deliver(job: string, { event, data }: StreamEvent): boolean {
    if (event === 'snapshot') {
      const snapshot = JSON.parse(data) as Snapshot;
      this.#listener.snapshot(snapshot);
      return isFinal(snapshot.job.state);
    }
    if (event === 'events') {
      const events = JSON.parse(data) as JobEvent[];
      this.#listener.events(events);
      return events.some((one) => one.kind === 'removed' || (one.kind === 'state' && isFinal(one.state)));
    }
    if (event !== 'removed') return false;
    this.#listener.denied([{ job }], { code: 'job_not_found', message: `Job ${job} was removed while it was watched` });
    return true;
  }

  /** Streams do not get through: what has one is asked for again, and polled from now on. */
  #giveUpStreams(): void {
    if (this.#streamsMax === 0) return;
    this.#streamsMax = 0;
    if (this.#isUp) this.#listener.up('polling');
  }

  async #pollJob(reading: Reading, { job, after }: JobTarget): Promise<Snapshot> {
    const { signal } = reading.abort;
    const polled = pollJob(this.#options.http, job, after);
    const first = await polled.read(signal);
    if (!first) throw new UnreachableError(job, 'expected the job as the first answer, got "unchanged"');
    this.#poll(reading, async () => {
      const snapshot = await polled.read(signal);
      if (snapshot && !signal.aborted) this.#listener.snapshot(snapshot);
    });
    return first;
  }

  async #pollSet(reading: Reading, target: SetTarget): Promise<WatchResult> {
    const { signal } = reading.abort;
    const first = await pollSet(this.#options.http, target, signal);
    this.#poll(reading, async () => {
      const { jobs, aggregate } = await pollSet(this.#options.http, target, signal);
      if (signal.aborted) return;
      for (const snapshot of jobs) this.#listener.snapshot(snapshot, target);
      if (aggregate) this.#listener.aggregate(aggregate);
    });
    return first;
  }

  #poll(reading: Reading, read: () => Promise<void>): void {
    if (this.#readings.get(reading.name) === reading) this.#round.add(reading.name, read);
  }

  #pollFailed(name: string, error: unknown): void {
    this.#noteUnreachable(error);
    if (!(error instanceof ApiError) || error.retryable) return;
    this.#stop(name);
    this.#listener.denied([targetOfName(name)], errorOf(error));
  }

  /** The job that has waited longest for a stream gets the one that is free. */
  #fillFreeStream(): void {
    if (this.#streamCount() >= this.#streamsMax) return;
    const target = this.#round
      .names()
      .map(targetOfName)
      .find((one) => 'job' in one);
    if (target) this.#listener.resync([target]);
  }

  #streamCount(): number {
    return [...this.#readings.values()].filter(({ streamed }) => streamed).length;
  }

  #stop(name: string): void {
    this.#readings.get(name)?.abort.abort();
    this.#readings.delete(name);
    this.#round.remove(name);
  }

  #stopAll(): void {
    for (const name of [...this.#readings.keys()]) this.#stop(name);
  }

  /** Where nobody answers any more, the line is down until somebody does. */
  #noteUnreachable(error: unknown): void {
    if (!(error instanceof UnreachableError) || !this.#isUp) return;
    this.#isUp = false;
    this.#stopAll();
    this.#listener.down('lost');
    this.#after(this.#options.pollMs, () => void this.#reach());
  }

  async #reach(): Promise<void> {
    const reached = await this.#options.probe();
    if (this.#closed || this.#isUp) return;
    if (!reached) {
      this.#listener.down('unreachable');
      this.#after(this.#options.pollMs * (0.75 + Math.random() / 2), () => void this.#reach());
      return;
    }
    this.#isUp = true;
    this.#listener.up(this.#streamsMax > 0 ? 'sse' : 'polling');
  }

  #after(ms: number, run: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

function errorOf(error: unknown): JobError {
  if (error instanceof ApiError) return { code: error.code, message: error.message };
  return { code: 'unavailable', message: error instanceof Error ? error.message : String(error) };
}
