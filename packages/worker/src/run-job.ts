import { types } from 'node:util';
import { isNestedTooDeep, type JobError, JSON_NESTING_MAX } from '@spillway/contracts';
import type { FileStore } from '@spillway/files';
import type { Lease, Outcome } from '@spillway/queue/consumer';
import type { Logger } from '@spillway/runtime';
import type { JobContext } from './context.ts';
import { Deadline, EXCEEDED } from './deadline.ts';
import { decideRetry } from './decide-retry.ts';
import type { Isolates } from './isolate/pool.ts';
import type { LoadedJob } from './job-type.ts';
import { retryAfterOf } from './retry-after.ts';
import { createStep } from './step.ts';
import { UnrecoverableJobError } from './unrecoverable.ts';

/** What running a job needs beside the job. */
export interface RunSetup {
  jobs: ReadonlyMap<string, LoadedJob>;
  files: FileStore;
  logger: Logger;
  resultLimitBytes: number;
  /** Where isolated types run. Absent in an isolate, which runs what it is given. */
  isolates?: Isolates | undefined;
}

/** Runs one leased job to its outcome. Never throws: whatever a handler does ends as an outcome that says so. */
export async function runJob(lease: Lease, setup: RunSetup): Promise<Outcome> {
  // Most jobs log nothing, and binding a logger costs as much as the rest of a short job.
  const logger = once(() => setup.logger.child({ jobId: lease.id, type: lease.type, attempt: lease.attempt }));
  const isDebug = setup.logger.isLevelEnabled('debug');
  if (isDebug) logger().debug('job started');
  const outcome = await attempt(lease, setup, logger);
  if (outcome.kind === 'failed' && !lease.signal.aborted) {
    logger().warn({ error: outcome.error, retry: outcome.retry, err: outcome.cause }, 'attempt failed');
  } else if (isDebug) {
    // What an aborted attempt says no longer counts: its job is elsewhere, or goes back into its line.
    logger().debug({ abandoned: lease.signal.aborted }, 'job ended');
  }
  return outcome;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Runs one attempt, and says nothing about it. Never throws. */
export async function attempt(lease: Lease, setup: RunSetup, logger: () => Logger): Promise<Outcome> {
  const job = setup.jobs.get(lease.type);
  if (!job)
    return failed('unknown_type', `expected a type that this worker has, got ${JSON.stringify(lease.type)}`, true);
  if (job.isolation && setup.isolates) return performIsolated(job, lease, setup.isolates, setup.resultLimitBytes);
  const parsed = await job.parseInput(lease.input);
  if ('problem' in parsed) return failed('invalid_input', parsed.problem, false);
  return decideRetry(await perform(job, lease, parsed.input, setup, logger), job, lease, logger);
}

async function perform(
  job: LoadedJob,
  lease: Lease,
  input: unknown,
  setup: RunSetup,
  logger: () => Logger,
): Promise<Outcome> {
  const deadline = new Deadline(timeoutOf(lease, job), lease);
  try {
    const context = new Context(lease, input, { deadline, logger, files: setup.files });
    const result = await deadline.limit(() => (job.gather ? job.gather.join(context) : job.run(context)));
    return result === EXCEEDED ? timedOut(lease, job) : settle(result, job, setup.resultLimitBytes);
  } catch (thrown) {
    return deadline.hasPassed ? timedOut(lease, job) : classify(thrown);
  } finally {
    deadline.clear();
  }
}

/** In the isolate the input is checked and the handler run, by this same pipeline. Time is kept here, where no handler can stop it. */
async function performIsolated(job: LoadedJob, lease: Lease, isolates: Isolates, limitBytes: number): Promise<Outcome> {
  const deadline = new Deadline(timeoutOf(lease, job), lease);
  try {
    const outcome = await isolates.run(job, lease, deadline.signal);
    if (deadline.hasPassed) return timedOut(lease, job);
    // An isolate may be in the hands of code that nobody trusts.
    return outcome.kind === 'completed' ? settle(outcome.result, job, limitBytes) : outcome;
  } finally {
    deadline.clear();
  }
}

function timeoutOf(lease: Lease, job: LoadedJob): number {
  return lease.timeoutMs ?? job.timeoutMs;
}

function timedOut(lease: Lease, job: LoadedJob): Outcome {
  const message = `expected the attempt to end within ${timeoutOf(lease, job)} ms, and it was still running`;
  return failed('timeout', message, true);
}

/**
 * Handlers take the context apart (`{ input, progress }`), so what they call is bound to nothing; and most take little of
 * it, so each part is made when it is taken.
 */
class Context implements JobContext {
  readonly input: unknown;
  readonly files: FileStore;
  readonly #lease: Lease;
  readonly #deadline: Deadline;
  readonly #logger: () => Logger;
  /** Calls of one attempt know of each other. */
  #step: JobContext['step'] | undefined;

  constructor(lease: Lease, input: unknown, bound: { deadline: Deadline; logger: () => Logger; files: FileStore }) {
    this.input = input;
    this.files = bound.files;
    this.#lease = lease;
    this.#deadline = bound.deadline;
    this.#logger = bound.logger;
  }

  get id(): string {
    return this.#lease.id;
  }

  get type(): string {
    return this.#lease.type;
  }

  get attempt(): number {
    return this.#lease.attempt;
  }

  get progress(): JobContext['progress'] {
    const { reports } = this.#lease;
    return (fraction, message) =>
      reports.progress({ fraction: clamp(fraction), ...(message !== undefined && { message: String(message) }) });
  }

  get log(): JobContext['log'] {
    const { reports } = this.#lease;
    return (line) => reports.log(String(line));
  }

  get output(): JobContext['output'] {
    const { reports } = this.#lease;
    return (chunk) => reports.output(chunk);
  }

  get step(): JobContext['step'] {
    this.#step ??= createStep(this.#lease, () => this.signal);
    return this.#step;
  }

  get children(): JobContext['children'] {
    return () => this.#lease.children();
  }

  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  get logger(): Logger {
    return this.#logger();
  }
}

/** Done of nothing (0 / 0) is taken as no progress. */
function clamp(fraction: number): number {
  return Number.isNaN(fraction) ? 0 : Math.min(1, Math.max(0, fraction));
}

/** What a handler returned, as an outcome. What is stored is what JSON makes of it, so that is what is checked. Pure. */
export function settle(returned: unknown, job: Pick<LoadedJob, 'checkOutput'>, limitBytes: number): Outcome {
  const encoded = encode(returned);
  if ('problem' in encoded) return failed('handler_invalid_result', encoded.problem, false);
  const bytes = Buffer.byteLength(encoded.text);
  if (bytes > limitBytes) {
    return failed(
      'result_too_large',
      `expected a result of at most ${limitBytes} bytes of JSON, got ${bytes}; save it as a file and return its reference`,
      false,
    );
  }
  if (isNestedTooDeep(encoded.text)) {
    return failed(
      'handler_invalid_result',
      `expected a result of at most ${JSON_NESTING_MAX} levels, got one that is nested deeper`,
      false,
    );
  }
  if (!job.checkOutput) return { kind: 'completed', result: returned ?? null };
  const result: unknown = returned === undefined ? undefined : JSON.parse(encoded.text);
  const problems = job.checkOutput(result);
  if (problems.length > 0) {
    return failed(
      'handler_invalid_result',
      `the result does not match the type's output schema: ${problems.map(({ message }) => message).join('; ')}`,
      false,
    );
  }
  return { kind: 'completed', result: result ?? null };
}

function encode(returned: unknown): { text: string } | { problem: string } {
  if (returned === undefined) return { text: 'null' };
  try {
    const text: string | undefined = JSON.stringify(returned);
    return text === undefined
      ? { problem: `expected a result that JSON can hold, got a ${typeof returned}` }
      : { text };
  } catch (error) {
    return { problem: `expected a result that JSON can hold: ${error instanceof Error ? error.message : error}` };
  }
}

/** What a handler threw, as an outcome. Pure. */
export function classify(thrown: unknown): Outcome & { kind: 'failed' } {
  if (!isError(thrown)) {
    return failed('handler_failed', `the handler threw ${describe(thrown)} instead of an Error`, true);
  }
  const retry = !(thrown instanceof UnrecoverableJobError || thrown.name === 'UnrecoverableJobError');
  const retryAfterMs = retryAfterOf(thrown);
  return {
    ...failed('handler_failed', messageOf(thrown), retry),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    cause: thrown,
  };
}

/** An error of another realm, such as a vm context, is no `instanceof` this one's Error. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}

/** Some errors have no message: of an AggregateError, which failed connections are, the code says most. */
function messageOf(error: Error & { code?: unknown }): string {
  return String(error.message) || [error.name, error.code].filter(Boolean).join(' ');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 200));
  if (typeof value === 'function') return 'a function';
  return value === null || typeof value !== 'object'
    ? String(value)
    : `a value of type ${value.constructor?.name ?? 'object'}`;
}

function failed(code: JobError['code'], message: string, retry: boolean): Outcome & { kind: 'failed' } {
  return { kind: 'failed', error: { code, message: message.slice(0, MESSAGE_MAX) }, retry };
}

/** An error's message is stored with the job and sent to every watcher. */
const MESSAGE_MAX = 2000;
