import type { JobError } from '@spillway/contracts';
import type { Lease, Outcome } from '@spillway/queue/consumer';
import { answerCall } from './answers.ts';
import type { FromIsolate, SentError } from './messages.ts';
import type { Vessel } from './vessel.ts';

interface Running {
  lease: Lease;
  end: (outcome: Outcome) => void;
}

/** A thread or process that runs the jobs of one type, one at a time. Its reports count as long as the lease of its job does. */
export class Isolate {
  readonly type: string;
  readonly queue: string;
  /** Resolves once it is gone. */
  readonly exited: Promise<void>;
  /** Whether it is gone, or about to be: it can take no further job. */
  hasEnded = false;
  readonly #vessel: Vessel;
  readonly #ready: Promise<void>;
  #running: Running | undefined;
  #lastWords: string | undefined;

  constructor({ type, queue }: { type: string; queue: string }, vessel: Vessel) {
    this.type = type;
    this.queue = queue;
    this.#vessel = vessel;
    this.exited = vessel.exited.then((how) => {
      this.hasEnded = true;
      this.#crashed(this.#lastWords ?? how);
    });
    this.#ready = new Promise((resolve) => {
      vessel.onMessage((message) => (message.kind === 'ready' ? resolve() : this.#receive(message)));
    });
  }

  /**
   * Runs one attempt to its outcome. Once `signal` aborts, the handler has `graceMs` to return before it is killed. Never
   * throws; whatever ends the isolate is an outcome.
   */
  async run(lease: Lease, signal: AbortSignal, graceMs: number): Promise<Outcome> {
    const outcome = new Promise<Outcome>((resolve) => {
      this.#running = { lease, end: resolve };
    });
    const stopForcing = this.#force(signal, graceMs);
    await Promise.race([this.#ready, this.exited]);
    if (this.hasEnded) this.#crashed(this.#lastWords ?? 'it was gone before the job could start');
    const { id, type, queue, attempt, failures, hasBackoff, input } = lease;
    this.#vessel.send({ kind: 'run', task: { id, type, queue, attempt, failures, hasBackoff, input } });
    if (signal.aborted) this.#abort(signal);
    try {
      return await outcome;
    } finally {
      stopForcing();
      this.#running = undefined;
    }
  }

  /** Ends it at once. A job that it runs ends as crashed. */
  kill(why?: string): void {
    this.hasEnded = true;
    this.#lastWords ??= why;
    this.#vessel.kill();
  }

  #force(signal: AbortSignal, graceMs: number): () => void {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      this.#abort(signal);
      timer = setTimeout(
        () =>
          this.kill(`it was killed: it ran on for ${graceMs} ms after its signal had aborted (${reasonOf(signal)})`),
        graceMs,
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  }

  #abort(signal: AbortSignal): void {
    this.#vessel.send({ kind: 'abort', reason: reasonOf(signal) });
  }

  #receive(message: FromIsolate): void {
    try {
      this.#handle(message);
    } catch (error) {
      // The handler can send what it likes by itself.
      this.kill(
        `it was killed: it said something that no isolate says (${error instanceof Error ? error.message : error})`,
      );
    }
  }

  #handle(message: FromIsolate): void {
    if (message.kind === 'dying') this.#lastWords ??= `it ended with an error that nothing caught: ${message.message}`;
    if (!this.#running) return;
    const { lease, end } = this.#running;
    switch (message.kind) {
      case 'reports':
        if (message.progress) lease.reports.progress(message.progress);
        for (const line of message.lines) lease.reports.log(String(line));
        for (const chunk of message.chunks) lease.reports.output(JSON.parse(chunk));
        return;
      case 'call':
        void answerCall(lease, message).then((answer) => this.#vessel.send({ kind: 'answer', ...answer }));
        return;
      case 'outcome':
        end(readOutcome(message.outcome, message.cause));
    }
  }

  #crashed(how: string): void {
    this.#running?.end(failed(how));
  }
}

/** @throws TypeError where it is none. */
function readOutcome(json: string, cause: SentError | undefined): Outcome {
  const outcome = JSON.parse(json) as Outcome;
  if (outcome.kind === 'completed') return outcome;
  if (outcome.kind !== 'failed' || typeof outcome.error?.code !== 'string' || typeof outcome.error.message !== 'string')
    throw new TypeError('expected an outcome');
  if (!cause) return outcome;
  const { name, message, stack } = cause;
  return { ...outcome, cause: Object.assign(new Error(message), { name, stack }) };
}

/** An attempt whose isolate died. Where it died of the job's own input it will die again; attempts are limited. */
export function failed(how: string): Outcome & { kind: 'failed' } {
  const code: JobError['code'] = 'handler_crashed';
  const message = `expected the handler to return or to throw, but ${how}`;
  return { kind: 'failed', error: { code, message: message.slice(0, 2000) }, retry: true };
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}
