import { fractionOf, type Job } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { type Paint, paintState, printable } from '../terminal.ts';
import { duration, runtime } from '../text.ts';

export async function get(session: Session, id: string): Promise<ExitCode> {
  const job = await session.client.get(id);
  if (session.json) session.printJson(job);
  else session.print(describeJob(job, session.paint, Date.now()));
  return EXIT_CODES.ok.code;
}

function describeJob(job: Job, paint: Paint, nowMs: number): string {
  const fraction = fractionOf(job);
  const when = (time: string | undefined) =>
    time && `${time} (${duration(Math.abs(nowMs - Date.parse(time)))} ${nowMs < Date.parse(time) ? 'to go' : 'ago'})`;
  const facts: [name: string, value: string | undefined][] = [
    ['id', job.id],
    ['type', job.type],
    ['state', paintState(paint, job.state)],
    ['attempt', `${job.attempt} of ${job.attempts}`],
    ['progress', fraction === undefined ? undefined : `${Math.floor(fraction * 100)}% ${job.progress?.message ?? ''}`],
    ['error', job.error && `${job.error.message} (${job.error.code})`],
    ['attempts', job.history?.map(describeAttempt).join('\n')],
    ['tags', job.tags?.join(', ')],
    ['worker', job.worker],
    ['created', when(job.createdAt)],
    ['due', when(job.runAt)],
    ['started', when(job.startedAt)],
    ['finished', when(job.finishedAt)],
    ['took', job.finishedAt && runtime(job, nowMs)],
    ['input', json(job.input)],
    ['result', json(job.result)],
  ];
  const known = facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
  const width = Math.max(...known.map(([name]) => name.length));
  const indent = `\n${' '.repeat(width + 2)}`;
  // The state's colour is ours; everything else came from outside.
  const shown = ([name, value]: [string, string]) => (name === 'state' ? value : printable(value));
  return known
    .map((fact) => `${paint('dim', fact[0].padEnd(width))}  ${shown(fact).trimEnd().replaceAll('\n', indent)}`)
    .join('\n');
}

function describeAttempt({ attempt, worker, endedAt, error }: NonNullable<Job['history']>[number]): string {
  return `${attempt}: ${error.message} (${error.code})${worker ? ` on ${worker}` : ''}, ${endedAt}`;
}

function json(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : JSON.stringify(value, null, 2);
}
