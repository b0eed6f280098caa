import { type Client, fractionOf, type Job, type JobState } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { paintState } from '../terminal.ts';
import { duration, oneLine, runtime, table } from '../text.ts';

export interface ListFlags {
  state?: JobState;
  type?: string;
  queue?: string;
  tag?: string;
  schedule?: string;
  limit: number;
}

export async function list(session: Session, flags: ListFlags): Promise<ExitCode> {
  const jobs = await firstJobs(session.client, flags);
  if (session.json) for (const job of jobs) session.printJson(job);
  else if (jobs.length === 0) session.note('no jobs');
  else session.print(jobTable(session, jobs));
  return EXIT_CODES.ok.code;
}

/** The server gives at most this many at once. */
const PAGE = 100;

async function firstJobs(client: Client, { limit, ...query }: ListFlags): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.list({ ...query, limit: Math.min(PAGE, limit - jobs.length), ...(cursor && { cursor }) });
    jobs.push(...page.jobs);
    cursor = page.next;
  } while (cursor && jobs.length < limit);
  return jobs;
}

function jobTable(session: Session, jobs: readonly Job[]): string {
  const now = Date.now();
  const rows = jobs.map((job) => [
    job.id,
    job.type,
    paintState(session.paint, job.state),
    percent(job),
    job.attempt > 1 ? `${job.attempt}/${job.attempts}` : '',
    duration(now - Date.parse(job.createdAt)),
    runtime(job, now),
    oneLine(job.error?.message ?? job.progress?.message ?? '', 40),
  ]);
  return table(session, ['id', 'type', 'state', 'done', 'attempt', 'age', 'took', 'message'], rows);
}

function percent(job: Job): string {
  const fraction = fractionOf(job);
  return fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`;
}
