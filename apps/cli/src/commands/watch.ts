import type { Job } from '@spillway/client';
import { EXIT_CODES, type ExitCode, exitCodeOfState } from '../exit-code.ts';
import { follow } from '../follow.ts';
import { createProgressView } from '../progress-view.ts';
import type { Session } from '../session.ts';
import { printable } from '../terminal.ts';
import { runtime } from '../text.ts';

/** Shows a job's progress to its end; the result goes to standard output. */
export async function watchToEnd(session: Session, id: string): Promise<ExitCode> {
  const view = createProgressView(session);
  const followed = await follow(session, id, view).finally(() => view.stop());
  if ('interrupted' in followed) {
    session.note(`no longer watching; the job goes on: spillway watch ${id}`);
    return EXIT_CODES.interrupted.code;
  }
  const { job } = followed.end;
  if (session.json) session.printJson({ kind: 'end', job });
  else tellEnd(session, job);
  return exitCodeOfState(job.state);
}

function tellEnd(session: Session, job: Job): void {
  if (job.state === 'completed') {
    session.note(`completed in ${runtime(job, Date.now())}`);
    if (job.result !== undefined && job.result !== null) session.print(JSON.stringify(job.result, null, 2));
    return;
  }
  const { code = '', message = 'no reason was given' } = job.error ?? {};
  session.note(`${job.state} after attempt ${job.attempt} of ${job.attempts}: ${printable(message)} (${code})`);
}
