import { type JobOptions, NAME_MAX_LENGTH, QUEUE_NAME, TYPE_NAME } from '@spillway/contracts';
import type { JobContext } from './context.ts';
import { type BatchSettings, type RunMany, runAlone } from './gather.ts';
import { type Isolation, type IsolationKind, readIsolation } from './isolate/isolation.ts';
import type { Infer, Schema } from './schema.ts';

/** What a type's jobs get where neither the submitter nor the type says otherwise. */
export type JobDefaults = Pick<JobOptions, 'attempts' | 'backoff' | 'timeoutMs' | 'ttlMs' | 'priority'>;

/**
 * Decides after a failed attempt when to try again: how long to wait in ms (a day at most), or false for "never". `failures`
 * is how many attempts have failed, this one included. It is asked whether attempts are left or not.
 */
export type DecideBackoff = (failures: number, error: unknown) => number | false;

/** What a job file says of a type beside its handler. */
interface JobSettings<I extends Schema, O extends Schema> extends Omit<JobDefaults, 'backoff'> {
  /** Dotted lower-case words, e.g. `image.variants`; at most 64 characters. */
  type: string;
  /** The queue its jobs wait in; `default` where absent. */
  queue?: string;
  /** A few words for forms and the API reference. */
  title?: string;
  description?: string;
  /** Inputs that work, shown in forms and the API reference. */
  examples?: Infer<I>[];
  /**
   * Jobs of its queue that one worker process runs at once at most, for handlers that use a whole core or much memory.
   * WORKER_CONCURRENCY where absent; the smallest one of a queue's types counts.
   */
  concurrency?: number;
  /**
   * Runs the handler in a thread or process of its own, which is killed when it does not end as it should: `thread` for
   * work that uses a core, `process` for code that may crash or is not trusted. On the worker's own event loop where absent.
   */
  isolate?: IsolationKind | Isolation;
  /**
   * How long a cancelled job may go on after its signal aborted, before it is given up (isolated ones are killed then).
   * WORKER_CANCEL_GRACE_MS where absent; at most ten minutes.
   */
  cancelGraceMs?: number;
  /** Pauses between attempts; a function runs in the worker. What a submitter asks for goes before both. */
  backoff?: JobDefaults['backoff'] | DecideBackoff;
  input: I;
  /** Checked against what the handler returns, where given. */
  output?: O;
}

/** A job type as it is written in a job file. */
export interface JobDefinition<I extends Schema, O extends Schema> extends JobSettings<I, O> {
  run: (context: JobContext<Infer<I>>) => Promise<Infer<O>> | Infer<O>;
  batch?: undefined;
  runMany?: undefined;
}

/** The same for a type whose handler takes several jobs at once. */
export interface BatchJobDefinition<I extends Schema, O extends Schema> extends JobSettings<I, O> {
  /** A worker gathers up to `size` jobs, for `waitMs` from the first one on, and runs them together. */
  batch: BatchSettings;
  runMany: RunMany<Infer<I>, Infer<O>>;
  run?: undefined;
  isolate?: undefined;
}

const CANCEL_GRACE_MAX_MS = 600_000;
/** As many as a queue may run at once in one worker. */
const BATCH_SIZE_MAX = 1000;
/** Jobs that wait hold their leases, and count as running. */
const BATCH_WAIT_MAX_MS = 60_000;

const DEFINED = Symbol.for('spillway.job');

/** A definition that `defineJob` has checked; a worker loads exports of this shape and ignores all others. */
export interface DefinedJob<I extends Schema = Schema, O extends Schema = Schema> extends JobDefinition<I, O> {
  readonly queue: string;
  /** How its jobs are run together, where they are; `run` then runs one without others. */
  readonly together?: Pick<BatchJobDefinition<I, O>, 'batch' | 'runMany'>;
  /** The file that it was loaded from, by which an isolate finds it. */
  readonly file?: string;
  readonly [DEFINED]: true;
}

/**
 * Declares a job type. Types of `run`'s input and result are derived from the schemas. Pure: nothing is registered until
 * a worker loads the file.
 * @throws TypeError naming the field where a name is not acceptable, a schema is none the handler is no
 * function, or settings do not go together.
 */
export function defineJob<I extends Schema, O extends Schema = Schema>(
  definition: JobDefinition<I, O> | BatchJobDefinition<I, O>,
): DefinedJob<I, O> {
  const { type, queue = 'default' } = definition;
  assertName('type', type, TYPE_NAME, 'lower-case words joined by dots, e.g. image.variants');
  assertName('queue', queue, QUEUE_NAME, 'lower-case words joined by dashes, e.g. images');
  assertSchema(type, 'input', definition.input);
  if (definition.output !== undefined) assertSchema(type, 'output', definition.output);
  const { concurrency = 1 } = definition;
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError(`${type}: expected concurrency to be a whole number from 1 on, got ${concurrency}`);
  readIsolation(type, definition.isolate);
  const { cancelGraceMs = 0 } = definition;
  if (!Number.isInteger(cancelGraceMs) || cancelGraceMs < 0 || cancelGraceMs > CANCEL_GRACE_MAX_MS) {
    throw new TypeError(
      `${type}: expected cancelGraceMs to be a whole number from 0 to ${CANCEL_GRACE_MAX_MS}, got ${cancelGraceMs}`,
    );
  }
  if (definition.batch) return { ...asOneByOne(definition), queue, [DEFINED]: true };
  if (definition.runMany !== undefined) throw new TypeError(`${type}: expected batch beside runMany, got none`);
  const { run }: { run: unknown } = definition;
  if (typeof run !== 'function') throw new TypeError(`${type}: expected run to be a function, got ${typeof run}`);
  return { ...definition, queue, [DEFINED]: true };
}

function asOneByOne<I extends Schema, O extends Schema>(
  definition: BatchJobDefinition<I, O>,
): JobDefinition<I, O> & Pick<DefinedJob<I, O>, 'together'> {
  const { batch, runMany, run, isolate, ...settings } = definition;
  const { type, concurrency } = settings;
  assertWithin(type, 'batch.size', batch.size, [1, BATCH_SIZE_MAX]);
  assertWithin(type, 'batch.waitMs', batch.waitMs, [0, BATCH_WAIT_MAX_MS]);
  if (typeof runMany !== 'function')
    throw new TypeError(`${type}: expected runMany beside batch to be a function, got ${typeof runMany}`);
  if (run !== undefined) throw new TypeError(`${type}: expected no run beside batch, which runs jobs by runMany`);
  if (isolate !== undefined) throw new TypeError(`${type}: expected no isolate beside batch, got ${String(isolate)}`);
  if (concurrency !== undefined && concurrency < batch.size)
    throw new TypeError(`${type}: expected concurrency to be batch.size (${batch.size}) or more, got ${concurrency}`);
  return { ...settings, run: (job) => runAlone(runMany, job), together: { batch, runMany } };
}

function assertWithin(type: string, field: string, value: unknown, [least, most]: [number, number]): void {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
  throw new TypeError(`${type}: expected ${field} to be a whole number from ${least} to ${most}, got ${String(value)}`);
}

export function isDefinedJob(value: unknown): value is DefinedJob {
  return typeof value === 'object' && value !== null && DEFINED in value;
}

function assertName(field: string, name: unknown, pattern: RegExp, expected: string): void {
  if (typeof name === 'string' && name.length <= NAME_MAX_LENGTH && pattern.test(name)) return;
  throw new TypeError(
    `defineJob: expected ${field} to be ${expected} (at most ${NAME_MAX_LENGTH} characters), got ${JSON.stringify(name)}`,
  );
}

function assertSchema(type: string, field: string, schema: unknown): void {
  // Some schema libraries' schemas are functions.
  if (typeof schema === 'function' || (typeof schema === 'object' && schema !== null)) return;
  throw new TypeError(`${type}: expected ${field} to be a TypeBox or zod schema, got ${String(schema)}`);
}
