import { ERRORS, type ErrorCode, type FieldProblem, type Job, type JobError, type Problem } from '@spillway/contracts';

/** Spillway understood the request and refused it, or failed at it. Branch on `code`; `problem` is what the server said. */
export class ApiError extends Error {
  readonly code: string;
  /** HTTP status; the one that HTTP would give where the refusal came over the live connection. */
  readonly status: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** What is wrong with the request, place by place; empty where the server names no place. */
  readonly errors: readonly FieldProblem[];
  readonly problem: Problem;
  /** When the server says that it is worth trying again; absent where it says nothing. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.code = problem.code;
    this.status = problem.status;
    this.retryable = problem.retryable;
    this.errors = problem.errors ?? [];
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Nobody answered at the address, or not in the way that Spillway answers. */
export class UnreachableError extends Error {
  readonly url: string;

  constructor(url: string, reason: string, cause?: unknown) {
    super(`Cannot reach Spillway at ${url}: ${reason}`, cause === undefined ? undefined : { cause });
    this.name = 'UnreachableError';
    this.url = url;
  }
}

/** A result was asked for of a job that failed or was cancelled. */
export class JobFailedError extends Error {
  readonly code: string;
  readonly job: Job;

  constructor(job: Job) {
    const reason = job.error?.message ?? 'no reason was given';
    super(`Job ${job.id} ${job.state === 'cancelled' ? 'was cancelled' : 'failed'}: ${reason}`);
    this.name = 'JobFailedError';
    this.code = job.error?.code ?? 'handler_failed';
    this.job = job;
  }
}

/** The error for a refusal that came over the live connection, which carries a code and a message only. */
export function refusal({ code, message }: JobError): ApiError {
  const known = code in ERRORS ? ERRORS[code as ErrorCode] : ERRORS.internal;
  return new ApiError({ ...known, type: `urn:spillway:error:${code}`, code, detail: message });
}
