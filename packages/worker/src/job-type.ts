import { JobOptions, type JobType } from '@spillway/contracts';
import { checkSchema, compileSchema, type Validate } from '@spillway/runtime';
import type { DecideBackoff, DefinedJob } from './define-job.ts';
import { Gather, type RunMany } from './gather.ts';
import { type Isolation, readIsolation } from './isolate/isolation.ts';
import { isStandardSchema, type Schema, type StandardIssue, type StandardSchema, toJsonSchema } from './schema.ts';

/** A job type that is ready to run: its published form, and its schemas compiled. */
export interface LoadedJob {
  published: JobType;
  run: DefinedJob['run'];
  /** Where its jobs are run together, in place of `run`. */
  gather: Gather | undefined;
  /** Checks an input and returns what the handler gets: defaults filled in, zod's transforms applied. */
  parseInput: (input: unknown) => Promise<Parsed> | Parsed;
  checkOutput: Validate | undefined;
  timeoutMs: number;
  /** The type's own pauses between attempts, where they are a function. */
  decideBackoff: DecideBackoff | undefined;
  /** Most jobs of its queue at once in one process, where the type says so. */
  concurrency: number | undefined;
  /** Where its handler runs, if not on the worker's own event loop. */
  isolation: Isolation | undefined;
  /** The job file, where it was loaded from one. */
  file: string | undefined;
  /** How long a cancelled job may take to stop by itself, where the type says so. */
  cancelGraceMs: number | undefined;
}

type Parsed = { input: unknown } | { problem: string };

const checkOptions = compileSchema(JobOptions);

/** Where neither submitter nor type says: long enough for real work, short enough that a handler that never returns is seen the same day. */
export const DEFAULT_TIMEOUT_MS = 900_000;

/**
 * Compiles a definition.
 * @throws TypeError naming the type when a schema cannot be compiled or published, or a default is out of range.
 */
export function loadJob(job: DefinedJob): LoadedJob {
  const input = toJsonSchema(job.input, `${job.type} input`);
  const output = job.output && toJsonSchema(job.output, `${job.type} output`);
  const { attempts, backoff, timeoutMs, ttlMs, priority, title, description, examples } = job;
  const decideBackoff = typeof backoff === 'function' ? backoff : undefined;
  const defaults = {
    attempts,
    backoff: typeof backoff === 'function' ? undefined : backoff,
    timeoutMs,
    ttlMs,
    priority,
  };
  const [problem] = checkOptions(defaults);
  if (problem) throw new TypeError(`${job.type}: ${problem.message}`);
  return {
    published: { type: job.type, queue: job.queue, title, description, examples, input, output, defaults },
    run: job.run,
    gather: job.together && new Gather(job.together.runMany as RunMany<unknown, unknown>, job.together.batch),
    parseInput: isStandardSchema(job.input)
      ? standardParser(job.input)
      : jsonSchemaParser(compile(input, `${job.type} input`)),
    checkOutput: output && compile(output, `${job.type} output`),
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    concurrency: job.concurrency,
    isolation: readIsolation(job.type, job.isolate),
    file: job.file,
    cancelGraceMs: job.cancelGraceMs,
    decideBackoff,
  };
}

function compile(schema: Record<string, unknown>, what: string): Validate {
  try {
    checkSchema(schema);
    return compileSchema(schema, { useDefaults: true });
  } catch (cause) {
    throw new TypeError(`${what}: expected a valid JSON Schema: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

function jsonSchemaParser(validate: Validate): LoadedJob['parseInput'] {
  return (input) => {
    const problems = validate(input);
    return problems.length === 0 ? { input } : { problem: problems.map(({ message }) => message).join('; ') };
  };
}

function standardParser(schema: Schema & StandardSchema): LoadedJob['parseInput'] {
  return async (input) => {
    try {
      const parsed = await schema['~standard'].validate(input);
      return parsed.issues ? { problem: parsed.issues.map(describeIssue).join('; ') } : { input: parsed.value };
    } catch (error) {
      // A transform is code of its author, and may throw where it should report.
      return { problem: `the schema threw ${error}` };
    }
  };
}

function describeIssue({ path = [], message }: StandardIssue): string {
  const pointer = path.map((part) => `/${String(typeof part === 'object' ? part.key : part)}`).join('');
  return `${pointer || 'the value'}: ${message}`;
}
