import type { Job } from '@spillway/client';
import { isFinal } from '@spillway/contracts';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';

export async function cancel(session: Session, id: string, { reason }: { reason?: string }): Promise<ExitCode> {
  const { done, job } = await session.client.cancel(id, { reason });
  return tell(session, job, describeCancel(done, job));
}

export async function retry(session: Session, id: string): Promise<ExitCode> {
  const { done, job } = await session.client.retry(id);
  return tell(session, job, done ? `${job.state} again` : `nothing to retry: the job is ${job.state}`);
}

export async function remove(session: Session, id: string): Promise<ExitCode> {
  await session.client.remove(id);
  if (session.json) session.printJson({ id, removed: true });
  else session.print(`${id} removed`);
  return EXIT_CODES.ok.code;
}

/** A job that ran may have ended otherwise before its worker heard of it. */
function describeCancel(done: boolean, job: Job): string {
  if (!isFinal(job.state)) return done ? 'is being cancelled' : 'is being cancelled already';
  return done ? job.state : `nothing to cancel: the job is ${job.state}`;
}

function tell(session: Session, job: Job, outcome: string): ExitCode {
  if (session.json) session.printJson(job);
  else session.print(`${job.id} ${outcome}`);
  return EXIT_CODES.ok.code;
}
