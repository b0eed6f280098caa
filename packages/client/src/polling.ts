import type { Batch, Cursor, Job, JobList, LogPage, OutputPage, SetTarget, Snapshot } from '@spillway/contracts';
import { isFinal } from '@spillway/contracts';
import { ApiError } from './api-error.ts';
import type { Http } from './http.ts';

/** A page with this many entries has another one behind it (api's default). */
const PAGE = 1_000;
const START: Cursor = { pos: '0-0', log: 0, output: 0 };

/** One job, read again and again over HTTP. */
export interface PolledJob {
  readonly id: string;
  /** Reads what is new. Undefined where nothing can be. Rejects as Http does. */
  read(signal: AbortSignal): Promise<Snapshot | undefined>;
}

/**
 * HTTP knows no stream positions, so these snapshots keep the position and the epoch of the cursor that polling began
 * with: the next live line gives both anew. The job is read before its log and output, so with a final state they are whole.
 */
export function pollJob(http: Http, id: string, after: Cursor = START): PolledJob {
  const at = `/v1/jobs/${encodeURIComponent(id)}`;
  let cursor = after;
  let etag: string | undefined;
  let job: Job | undefined;
  return {
    id,
    async read(signal) {
      const answer = await http.raw('GET', at, { signal, ...(etag && { headers: { 'if-none-match': etag } }) });
      const same = answer.status === 304 && job !== undefined;
      // Only a running job writes: one that waits as before has nothing new to be read.
      if (same && job?.state !== 'active') return undefined;
      const now = same && job ? job : ((await answer.json()) as Job);
      const log = await readPages<LogPage>(http, `${at}/log`, cursor.log, (page) => page.lines.length, signal);
      const output = await readPages<OutputPage>(
        http,
        `${at}/output`,
        cursor.output,
        (page) => page.chunks.length,
        signal,
      );
      // Remembered last: when reading breaks off half-way, the next turn must not take "unchanged" for an answer.
      job = now;
      etag = isFinal(now.state) ? undefined : (answer.headers.get('etag') ?? etag);
      cursor = { ...cursor, log: log.at(-1)?.next ?? cursor.log, output: output.at(-1)?.next ?? cursor.output };
      return {
        job: now,
        cursor,
        log: log.flatMap(({ lines }) => lines),
        output: output.flatMap(({ chunks }) => chunks),
      };
    },
  };
}

async function readPages<Page extends { next: number }>(
  http: Http,
  path: string,
  from: number,
  count: (page: Page) => number,
  signal: AbortSignal,
): Promise<Page[]> {
  const pages: Page[] = [];
  for (let after = from; ; ) {
    const page = await http.json<Page>('GET', path, { query: { after, limit: PAGE }, signal });
    pages.push(page);
    if (count(page) < PAGE) return pages;
    after = page.next;
  }
}

/** The newest jobs of a set, as the list over HTTP has them. */
export async function pollSet(
  http: Http,
  target: SetTarget,
  signal: AbortSignal,
): Promise<SetTarget & { jobs: Snapshot[]; total: number; aggregate?: Batch }> {
  const [{ jobs }, aggregate] = await Promise.all([
    http.json<JobList>('GET', '/v1/jobs', { query: { ...target, limit: 100 }, signal }),
    'batch' in target ? pollBatch(http, target.batch, signal) : undefined,
  ]);
  const snapshots = jobs.map((job) => ({ job, cursor: START, log: [], output: [] }));
  return { ...target, jobs: snapshots, total: jobs.length, ...(aggregate && { aggregate }) };
}

/** A batch that is not there yet is watched like one that has no jobs yet. */
async function pollBatch(http: Http, id: string, signal: AbortSignal): Promise<Batch | undefined> {
  try {
    return await http.json<Batch>('GET', `/v1/batches/${encodeURIComponent(id)}`, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
