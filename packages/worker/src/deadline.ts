import type { Lease } from '@spillway/queue/consumer';

/**
 * How often all running attempts are looked through for those whose time is nearly up; only these get a timer of their own.
 * Most attempts end long before their limit, and a timer for each of them cost a tenth of a short job: dead timers keep what
 * they would have called alive, so that the collector copied everything that a job had made.
 */
const LOOK_MS = 1000;

const waiting = new Set<Deadline>();
let look: NodeJS.Timeout | undefined;

function startTimers(): void {
  const soon = Date.now() + LOOK_MS;
  for (const deadline of waiting) if (deadline.at <= soon) deadline.startTimer();
  if (waiting.size > 0) return;
  clearInterval(look);
  look = undefined;
}

/** What a handler gives that was still running when its time was up. */
export const EXCEEDED = Symbol('time limit exceeded');

/**
 * Ends an attempt that runs too long: aborts its signal, and stops waiting for a handler that does not listen to it. Every
 * job has one, so what only some handlers use (the signal) is made when it is asked for.
 */
export class Deadline {
  readonly #timeoutMs: number;
  readonly #lease: Pick<Lease, 'signal'>;
  /** By the clock of this process. */
  readonly at: number;
  #timer: NodeJS.Timeout | undefined;
  #hasPassed = false;
  #giveUp: (() => void) | undefined;
  #controller: AbortController | undefined;
  #follow: (() => void) | undefined;

  /** Time starts to run. */
  constructor(timeoutMs: number, lease: Pick<Lease, 'signal'>) {
    this.#timeoutMs = timeoutMs;
    this.#lease = lease;
    this.at = Date.now() + timeoutMs;
    if (timeoutMs <= LOOK_MS) this.startTimer();
    else this.#waitForLook();
  }

  get hasPassed(): boolean {
    return this.#hasPassed;
  }

  /** Aborts when the time is up, and when the lease's own signal does, for the same reason. */
  get signal(): AbortSignal {
    this.#controller ??= this.#open();
    return this.#controller.signal;
  }

  /** Runs `work` until it settles or the time is up. A handler may throw before its first await; that is a rejection like any other. */
  limit<T>(work: () => Promise<T> | T): Promise<T | typeof EXCEEDED> {
    // One promise in place of a race between two: a race costs more than the rest of a short job.
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(EXCEEDED);
      const given = work();
      if (isPromise(given)) given.then(resolve, reject);
      else resolve(given);
    });
  }

  /** To be called at the end of the attempt. */
  clear(): void {
    waiting.delete(this);
    clearTimeout(this.#timer);
    if (this.#follow) this.#lease.signal.removeEventListener('abort', this.#follow);
  }

  startTimer(): void {
    waiting.delete(this);
    this.#timer = setTimeout(() => this.#expire(), this.at - Date.now());
  }

  #waitForLook(): void {
    waiting.add(this);
    look ??= setInterval(startTimers, LOOK_MS).unref();
  }

  #expire(): void {
    this.#hasPassed = true;
    this.#controller?.abort(new Error(`the attempt ran longer than ${this.#timeoutMs} ms`));
    this.#giveUp?.();
  }

  #open(): AbortController {
    const controller = new AbortController();
    const { signal } = this.#lease;
    const follow = () => {
      // Handlers throw the reason on, and what they throw should be an Error.
      const { reason } = signal;
      controller.abort(reason instanceof Error ? reason : new Error(String(reason)));
    };
    if (signal.aborted) follow();
    else signal.addEventListener('abort', follow, { once: true });
    this.#follow = follow;
    return controller;
  }
}

function isPromise<T>(given: Promise<T> | T): given is Promise<T> {
  return typeof (given as Promise<T> | undefined)?.then === 'function';
}
