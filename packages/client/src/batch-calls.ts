import type {
  Batch,
  BatchCancelReply,
  BatchLine,
  BatchQuery,
  BatchResult,
  BatchRetryRequest,
  BatchStreamReply,
  JobList,
} from '@spillway/contracts';
import { readLines } from './event-stream.ts';
import type { Http } from './http.ts';

/** Many jobs that are submitted, watched and steered as one. `client.watchAll({ batch })` follows one live. */
export interface BatchCalls {
  /**
   * Submits jobs, each a line of its own; a file of lines is not read into memory where the platform can do without. Not
   * tried again by itself: give lines an `idempotencyKey` each where that is wanted.
   */
  submit(lines: Blob | Iterable<BatchLine>, options?: BatchQuery & { signal?: AbortSignal }): Promise<BatchStreamReply>;
  get(id: string): Promise<Batch>;
  /** The jobs that failed, newest end first. `cursor` is `next` of the page before. */
  failures(id: string, query?: { limit?: number; cursor?: string }): Promise<JobList>;
  cancel(id: string, options?: { reason?: string | undefined }): Promise<BatchCancelReply>;
  /** Runs all failed jobs again, in as many calls as that takes. Returns how many wait again. */
  retryFailed(id: string): Promise<number>;
  /** What became of each job, as it arrives. */
  results(id: string, options?: { signal?: AbortSignal }): AsyncGenerator<BatchResult, void>;
}

const NDJSON = 'application/x-ndjson';

export function batchCalls(http: Http): BatchCalls {
  const at = (id: string, part = '') => `/v1/batches/${encodeURIComponent(id)}${part}`;
  return {
    submit(lines, { signal, ...query } = {}) {
      const body = lines instanceof Blob ? lines : new Blob(Array.from(lines, (line) => `${JSON.stringify(line)}\n`));
      const headers = { 'content-type': NDJSON };
      const timeoutMs = Number.POSITIVE_INFINITY;
      return http.json<BatchStreamReply>('POST', '/v1/batches', { body, headers, query, signal, timeoutMs });
    },
    get: (id) => http.json<Batch>('GET', at(id)),
    failures: (id, query = {}) => http.json<JobList>('GET', at(id, '/failures'), { query }),
    cancel: (id, { reason } = {}) =>
      http.json<BatchCancelReply>('POST', at(id, '/cancel'), { body: reason && { reason } }),
    async retryFailed(id) {
      let sum = 0;
      for (let body: BatchRetryRequest | undefined = {}; body; ) {
        const reply: { retried: number; cursor?: string } = await http.json('POST', at(id, '/retry-failed'), { body });
        sum += reply.retried;
        body = reply.cursor === undefined ? undefined : { cursor: reply.cursor };
      }
      return sum;
    },
    async *results(id, { signal } = {}) {
      const headers = { accept: `${NDJSON}, application/problem+json` };
      const response = await http.raw('GET', at(id, '/results'), {
        headers,
        signal,
        timeoutMs: Number.POSITIVE_INFINITY,
      });
      if (response.body) for await (const line of readLines(response.body)) yield JSON.parse(line) as BatchResult;
    },
  };
}
