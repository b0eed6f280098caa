import type { FieldProblem, Problem } from './problem.ts';

/**
 * Every problem that Spillway reports, over HTTP, on the live connection and as a job's error. `retryable` says whether
 * the same request may succeed later. docs/errors.md is kept equal to this table by a test.
 */
export const ERRORS = {
  invalid_request: { status: 400, retryable: false, title: 'The request cannot be understood' },
  invalid_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  unauthorized: { status: 401, retryable: false, title: 'A valid key or token is needed' },
  token_expired: { status: 401, retryable: false, title: 'The token has expired' },
  token_revoked: { status: 401, retryable: false, title: 'The token was revoked' },
  forbidden: { status: 403, retryable: false, title: 'The key or token does not permit this' },
  not_found: { status: 404, retryable: false, title: 'There is no such thing here' },
  method_not_allowed: { status: 405, retryable: false, title: 'The address does not take this method' },
  unknown_type: { status: 404, retryable: true, title: 'No worker has registered this job type' },
  unknown_queue: { status: 404, retryable: true, title: 'No worker has registered this queue' },
  job_not_found: { status: 404, retryable: false, title: 'There is no such job, or it is no longer kept' },
  batch_not_found: { status: 404, retryable: false, title: 'There is no such batch, or it is no longer kept' },
  schedule_not_found: { status: 404, retryable: false, title: 'There is no schedule of this name' },
  file_not_found: { status: 404, retryable: false, title: 'There is no such file' },
  not_finished: { status: 409, retryable: true, title: 'The job has not finished yet' },
  job_active: { status: 409, retryable: true, title: 'A worker is running the job' },
  job_final: { status: 409, retryable: false, title: 'The job has already ended' },
  command_id_reused: { status: 409, retryable: false, title: 'The command id was given with another command' },
  too_many_schedules: { status: 409, retryable: false, title: 'There are as many schedules as there may be' },
  body_too_large: { status: 413, retryable: false, title: 'The body is larger than allowed' },
  headers_too_large: { status: 431, retryable: false, title: 'The address and headers are larger than allowed' },
  request_timeout: { status: 408, retryable: true, title: 'The request took too long to arrive' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The content type is not accepted' },
  invalid_input: { status: 422, retryable: false, title: "The input does not match the type's schema" },
  idempotency_key_reused: {
    status: 422,
    retryable: false,
    title: 'The idempotency key was used with another request',
  },
  rate_limited: { status: 429, retryable: true, title: 'Too many messages in a short time' },
  too_many_connections: { status: 429, retryable: true, title: 'The caller has too many live connections' },
  queue_full: { status: 429, retryable: true, title: 'The queue takes no more jobs at the moment' },
  internal: { status: 500, retryable: true, title: 'Something went wrong inside Spillway' },
  unavailable: { status: 503, retryable: true, title: 'Spillway cannot reach what it needs; try again soon' },
  handler_failed: { status: 500, retryable: true, title: "The job's handler threw an error" },
  handler_invalid_result: {
    status: 500,
    retryable: false,
    title: 'The handler returned something that JSON cannot hold',
  },
  result_too_large: { status: 500, retryable: false, title: "The handler's result is larger than allowed" },
  timeout: { status: 500, retryable: true, title: 'The attempt ran longer than its time limit' },
  expired: { status: 500, retryable: false, title: 'The job was not started within its time to live' },
  handler_crashed: { status: 500, retryable: true, title: 'The thread or process that ran the handler died' },
  child_failed: { status: 500, retryable: false, title: 'A job that this one needs did not complete' },
  lost_worker: { status: 500, retryable: true, title: 'Workers that ran the job died too often' },
  shed: { status: 429, retryable: true, title: 'The job was dropped for one of a higher priority' },
  cancelled: { status: 409, retryable: false, title: 'The job was cancelled' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An expected failure with a stable code. `detail` says what was expected and what came. */
export class SpillwayError extends Error {
  readonly code: ErrorCode;
  readonly errors: FieldProblem[] | undefined;
  /** After how many seconds it is worth trying again. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { errors?: FieldProblem[]; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SpillwayError';
    this.code = code;
    this.errors = options.errors;
    this.retryAfterS = options.retryAfterS;
  }
}

/**
 * The answer for a job that does not exist. Who may not see a job that does exist is told the very same, so that nobody
 * learns from it which ids are taken.
 */
export function unknownJob(id: string): SpillwayError {
  return new SpillwayError('job_not_found', `expected the id of a stored job, got ${JSON.stringify(id)}`);
}

/** The problem document of an error; `requestId` ties it to the server's log. */
export function toProblem(error: SpillwayError, requestId?: string): Problem {
  const { status, retryable, title } = ERRORS[error.code];
  return {
    type: `urn:spillway:error:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    retryable,
    ...(requestId && { requestId }),
    ...(error.errors?.length && { errors: error.errors }),
  };
}
