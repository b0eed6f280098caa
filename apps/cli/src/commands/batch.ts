import { existsSync, openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Batch, Job } from '@spillway/client';
import cliProgress from 'cli-progress';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { type Paint, paintFor } from '../terminal.ts';
import { oneLine, table } from '../text.ts';
import { UsageError } from '../usage-error.ts';

export interface BatchFlags {
  watch?: boolean;
  onComplete?: string;
  webhook?: string;
}

/** Lines that were refused and are shown; the reply has more. */
const PROBLEMS_SHOWN = 10;

/**
 * Submits a file of lines: whole jobs, or where `type` is given the inputs of its jobs. Without `--watch`, standard output is
 * the batch's id and nothing else.
 */
export async function submitBatch(
  session: Session,
  [first, second]: [typeOrFile: string, file: string | undefined],
  flags: BatchFlags,
): Promise<ExitCode> {
  const type = second === undefined ? undefined : first;
  const path = (second ?? first).replace(/^@/, '');
  if (!existsSync(path)) throw new UsageError(`batch submit: there is no file ${path}`);
  const { watch, ...query } = flags;
  const { watch: _token, ...reply } = await session.client.batches.submit(await linesOf(path, type), query);
  for (const { line, code, message } of reply.problems.slice(0, PROBLEMS_SHOWN))
    session.note(`${path}:${line}: ${message} (${code})`);
  if (reply.refused > 0) session.note(`${reply.refused} of ${reply.accepted + reply.refused} jobs were refused`);
  if (session.json) session.printJson(reply);
  else session.print(reply.id);
  if (watch) return watchBatch(session, reply.id);
  return reply.refused > 0 ? EXIT_CODES.refused.code : EXIT_CODES.ok.code;
}

async function linesOf(path: string, type: string | undefined): Promise<Blob> {
  if (type === undefined) return openAsBlob(path);
  const inputs = (await readFile(path, 'utf8')).split('\n');
  return new Blob(inputs.map((input) => `${asJob(type, input)}\n`));
}

/** A line that is no JSON goes out as it is: the server refuses it by its number, and keeps the others. Pure. */
export function asJob(type: string, input: string): string {
  try {
    return JSON.stringify({ type, input: JSON.parse(input) as unknown });
  } catch {
    return input;
  }
}

export async function getBatch(session: Session, id: string): Promise<ExitCode> {
  const batch = await session.client.batches.get(id);
  return tell(session, batch, describeWhole(batch));
}

/** One document or line a job, newest end first. */
export async function batchFailures(session: Session, id: string, { limit }: { limit: number }): Promise<ExitCode> {
  const jobs = await firstFailures(session, id, limit);
  if (session.json) for (const job of jobs) session.printJson(job);
  else if (jobs.length === 0) session.note('no failures');
  else session.print(table(session, ['id', 'type', 'attempt', 'error'], jobs.map(failureRow)));
  return EXIT_CODES.ok.code;
}

export async function retryBatch(session: Session, id: string): Promise<ExitCode> {
  const retried = await session.client.batches.retryFailed(id);
  return tell(session, { batch: id, retried }, `${retried} wait again`);
}

export async function cancelBatch(session: Session, id: string, flags: { reason?: string }): Promise<ExitCode> {
  const reply = await session.client.batches.cancel(id, flags);
  return tell(session, { batch: id, ...reply }, `${reply.cancelled} cancelled, ${reply.stopping} are told to stop`);
}

/** The server gives at most this many at once. */
const PAGE = 100;

async function firstFailures({ client }: Session, id: string, limit: number): Promise<Job[]> {
  const found: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.batches.failures(id, {
      limit: Math.min(PAGE, limit - found.length),
      ...(cursor && { cursor }),
    });
    found.push(...page.jobs);
    cursor = page.next;
  } while (cursor && found.length < limit);
  return found;
}

function failureRow({ id, type, attempt, attempts, error }: Job): string[] {
  return [id, type, `${attempt}/${attempts}`, oneLine(error?.message ?? '', 60)];
}

function describeWhole(batch: Batch): string {
  const { open, active, refused, sealed, onComplete } = batch;
  return [
    describe(batch),
    ...(open > 0 ? [`${open} open, ${active} of them running`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(sealed ? [] : ['more jobs may come']),
    ...(onComplete ? [`then ${onComplete.job ?? onComplete.type}`] : []),
  ].join('\n');
}

function tell(session: Session, answer: object, text: string): ExitCode {
  if (session.json) session.printJson(answer);
  else session.print(text);
  return EXIT_CODES.ok.code;
}

/** Shows one bar for all jobs of a batch until the last one has ended, or Ctrl-C. */
export async function watchBatch(session: Session, id: string): Promise<ExitCode> {
  // Asked first over HTTP, because a live connection would wait for a server that never comes.
  const first = await session.client.batches.get(id);
  const view = createView(session);
  view.show(first);
  const last = await follow(session, id, view.show).finally(view.stop);
  if (!last) {
    session.note(`no longer watching; the jobs go on: spillway batch watch ${id}`);
    return EXIT_CODES.interrupted.code;
  }
  if (session.json) session.printJson({ kind: 'end', batch: last });
  else session.note(describe(last));
  if (last.failed > 0) return EXIT_CODES.failed.code;
  return last.cancelled > 0 ? EXIT_CODES.cancelled.code : EXIT_CODES.ok.code;
}

/** Resolves with the batch that has ended, or undefined on Ctrl-C. */
async function follow(
  { client, terminal }: Session,
  id: string,
  show: (batch: Batch) => void,
): Promise<Batch | undefined> {
  const watch = client.watchAll({ batch: id });
  let last: Batch | undefined;
  const stop = () => watch.close();
  terminal.on('SIGINT', stop);
  watch.onChange(() => {
    if (!watch.aggregate) return;
    show(watch.aggregate);
    if (watch.aggregate.finishedAt === undefined) return;
    last = watch.aggregate;
    watch.close();
  });
  await watch.ended.finally(() => terminal.off('SIGINT', stop));
  return last;
}

function createView(session: Session): { show(batch: Batch): void; stop(): void } {
  const { terminal } = session;
  if (session.json) return onChange((batch) => session.printJson({ kind: 'batch', batch }));
  if (!terminal.stderr.isTTY) return onChange((batch) => session.note(describe(batch)));
  const paint = paintFor(terminal.stderr, terminal.env);
  const bar = new cliProgress.SingleBar({
    stream: terminal.stderr,
    hideCursor: true,
    linewrap: null,
    // Ctrl-C is the command's own: it says that the jobs go on.
    gracefulExit: false,
    format: (_options, _params, { batch }: { batch: Batch }) => drawBatch(batch, paint),
  });
  let started = false;
  return {
    show(batch) {
      if (!started) bar.start(batch.total, 0, { batch });
      started = true;
      bar.update(endedOf(batch), { batch });
    },
    stop: () => bar.stop(),
  };
}

/** Figures that did not change are not told again. */
function onChange(tell: (batch: Batch) => void): { show(batch: Batch): void; stop(): void } {
  let told = '';
  return {
    show(batch) {
      const text = JSON.stringify(batch);
      if (text !== told) tell(batch);
      told = text;
    },
    stop: () => {},
  };
}

const BAR_WIDTH = 28;

/** One line: bar, percentage, and how many jobs have ended in which way. */
export function drawBatch(batch: Batch, paint: Paint): string {
  const fraction = batch.total === 0 ? 0 : endedOf(batch) / batch.total;
  const filled = Math.floor(fraction * BAR_WIDTH);
  const bar = paint(batch.failed > 0 ? 'red' : 'green', '━'.repeat(filled));
  return `${bar}${paint('dim', '─'.repeat(BAR_WIDTH - filled))} ${`${Math.floor(fraction * 100)}%`.padStart(4)}  ${describe(batch)}`;
}

function endedOf({ total, open }: Batch): number {
  return total - open;
}

function describe(batch: Batch): string {
  const others = (['failed', 'cancelled', 'removed'] as const).filter((name) => batch[name] > 0);
  return [`${batch.completed} of ${batch.total} completed`, ...others.map((name) => `${batch[name]} ${name}`)].join(
    ', ',
  );
}
