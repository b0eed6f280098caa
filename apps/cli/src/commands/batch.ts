import { existsSync, openAsBlob } from 'node:fs';
import type { Batch } from '@spillway/client';
import cliProgress from 'cli-progress';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { type Paint, paintFor } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export interface BatchFlags {
  watch?: boolean;
  onComplete?: string;
  webhook?: string;
}

/** Lines that were refused and are shown; the reply has more. */
const PROBLEMS_SHOWN = 10;

/** Submits a file of lines. Without `--watch`, standard output is the batch's id and nothing else. */
export async function submitBatch(session: Session, path: string, flags: BatchFlags): Promise<ExitCode> {
  if (!existsSync(path)) throw new UsageError(`batch submit: there is no file ${path}`);
  const { watch, ...query } = flags;
  const { watch: _token, ...reply } = await session.client.batches.submit(await openAsBlob(path), query);
  for (const { line, code, message } of reply.problems.slice(0, PROBLEMS_SHOWN))
    session.note(`${path}:${line}: ${message} (${code})`);
  if (reply.refused > 0) session.note(`${reply.refused} of ${reply.accepted + reply.refused} jobs were refused`);
  if (session.json) session.printJson(reply);
  else session.print(reply.id);
  if (watch) return watchBatch(session, reply.id);
  return reply.refused > 0 ? EXIT_CODES.refused.code : EXIT_CODES.ok.code;
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
