import type { SubmitOptions } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import { attachFiles, type FileField, readInput } from '../input.ts';
import type { Session } from '../session.ts';
import { watchToEnd } from './watch.ts';

export interface SubmitFlags extends Omit<SubmitOptions, 'tags'> {
  input?: string;
  file: FileField[];
  tag?: string[];
  watch?: boolean;
}

/** Submits a job. Without `--watch`, standard output is the job's id and nothing else: `id=$(spillway submit …)`. */
export async function submit(session: Session, type: string, flags: SubmitFlags): Promise<ExitCode> {
  const { input: source, file, watch, tag: tags, ...options } = flags;
  const read = await readInput(source, session.terminal.stdin);
  const input = await attachFiles(session.client, read, file);
  const {
    links: _links,
    watch: _watch,
    ...job
  } = await session.client.submit(type, input, { ...options, ...(tags && { tags }) });
  if (watch) {
    session.note(session.paint('dim', `${job.id} (${job.type})`));
    return watchToEnd(session, job.id);
  }
  if (session.json) {
    session.printJson(job);
    return EXIT_CODES.ok.code;
  }
  session.print(job.id);
  if (session.terminal.stdout.isTTY) session.note(session.paint('dim', `watch it with: spillway watch ${job.id}`));
  return EXIT_CODES.ok.code;
}
