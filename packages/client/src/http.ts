import { ERRORS, type ErrorCode, type Problem } from '@spillway/contracts';
import { ApiError, UnreachableError } from './api-error.ts';
import type { Credentials } from './credentials.ts';

/** An answer that takes longer than this, beside the time that the request itself asks the server to wait, is given up. */
const ANSWER_TIMEOUT_MS = 30_000;

export interface HttpOptions {
  /** Without a slash at the end. */
  baseUrl: string;
  credentials: Pick<Credentials, 'token'>;
  fetch: typeof globalThis.fetch;
}

export interface Call {
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** How long an answer may take; uploads have no limit (`Infinity`). */
  timeoutMs?: number;
}

export interface Http {
  /**
   * One call, JSON out.
   * @throws ApiError with the server's problem, UnreachableError where there is no answer, the signal's reason on abort.
   */
  json<T>(method: string, path: string, call?: Call): Promise<T>;
  /** Like `json` for calls that answer without a body. */
  empty(method: string, path: string, call?: Call): Promise<void>;
  blob(path: string, call?: Call): Promise<Blob>;
  /** The answer as it comes, with its headers. A 304 is an answer too. */
  raw(method: string, path: string, call?: Call): Promise<Response>;
}

export function createHttp(options: HttpOptions): Http {
  async function send(method: string, path: string, call: Call = {}): Promise<Response> {
    const response = await exchange(options, method, path, call);
    if (!response.ok && response.status !== 304)
      throw new ApiError(await readProblem(response), retryAfterMs(response));
    return response;
  }
  return {
    async json<T>(method: string, path: string, call?: Call): Promise<T> {
      const response = await send(method, path, call);
      try {
        return (await response.json()) as T;
      } catch (cause) {
        const type = response.headers.get('content-type') ?? 'no content type';
        throw new UnreachableError(
          options.baseUrl,
          `expected JSON as the answer to ${method} ${path}, got ${type}`,
          cause,
        );
      }
    },
    async empty(method, path, call) {
      await send(method, path, call);
    },
    async blob(path, call) {
      const response = await send('GET', path, call);
      return response.blob();
    },
    raw: send,
  };
}

async function exchange(options: HttpOptions, method: string, path: string, call: Call): Promise<Response> {
  const { timeoutMs = ANSWER_TIMEOUT_MS } = call;
  const token = await options.credentials.token();
  const timeout = Number.isFinite(timeoutMs) ? AbortSignal.timeout(timeoutMs) : undefined;
  const signals = [call.signal, timeout].filter((signal) => signal !== undefined);
  try {
    return await options.fetch(address(options.baseUrl, path, call.query), {
      method,
      headers: headersOf(token, call),
      ...(call.body !== undefined && { body: isRaw(call.body) ? call.body : JSON.stringify(call.body) }),
      ...(signals.length && { signal: AbortSignal.any(signals) }),
    });
  } catch (cause) {
    if (call.signal?.aborted) throw call.signal.reason;
    if (timeout?.aborted) throw new UnreachableError(options.baseUrl, `no answer within ${timeoutMs / 1000} s`, cause);
    throw new UnreachableError(options.baseUrl, reasonOf(cause), cause);
  }
}

function address(baseUrl: string, path: string, query: Call['query'] = {}): string {
  const url = new URL(baseUrl + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

function headersOf(token: string | undefined, call: Call): Record<string, string> {
  return {
    accept: 'application/json, application/problem+json',
    ...(token && { authorization: `Bearer ${token}` }),
    // A form brings its own content type, with the boundary that only fetch knows; so do bytes.
    ...(call.body !== undefined && !isRaw(call.body) && { 'content-type': 'application/json' }),
    ...call.headers,
  };
}

function isRaw(body: unknown): body is FormData | Blob {
  return body instanceof FormData || body instanceof Blob;
}

/** fetch says "fetch failed" and hides the reason, e.g. ECONNREFUSED, in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message || String(error);
}

/** Seconds, as Spillway sends it; the header may also be a date, which is left to whoever wants it. */
function retryAfterMs({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** The problem document of a refusal; one is made up where a proxy in between answered in its own way. */
async function readProblem(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '');
  const problem = parseProblem(text);
  if (problem) return problem;
  const code = codeOf(response.status);
  const type = response.headers.get('content-type') ?? 'no content type';
  const detail = `Expected a problem document with status ${response.status}, got ${type}`;
  return { ...ERRORS[code], type: `urn:spillway:error:${code}`, status: response.status, code, detail };
}

function parseProblem(text: string): Problem | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && 'code' in body ? (body as Problem) : undefined;
  } catch {
    return undefined; // Not JSON, so not from Spillway: the caller describes it by its status.
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 413) return 'body_too_large';
  if (status >= 502) return 'unavailable';
  return status >= 500 ? 'internal' : 'invalid_request';
}
