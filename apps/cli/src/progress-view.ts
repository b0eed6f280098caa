import { fractionOf, type Job, placeText, type WatchedJob } from '@spillway/client';
import { isFinal } from '@spillway/contracts';
import cliProgress from 'cli-progress';
import { type Change, changesBetween } from './changes.ts';
import type { Session } from './session.ts';
import { type Paint, paintFor, paintState, printable } from './terminal.ts';
import { oneLine } from './text.ts';

/** Shows a job while it is watched. All but NDJSON goes to standard error, so that standard output holds the result only. */
export interface ProgressView {
  show(job: WatchedJob): void;
  /** A remark of the command's own, e.g. about the connection. */
  note(text: string): void;
  /** Takes the view off the screen; what was shown last stays. */
  stop(): void;
}

/** A bar on a terminal, plain lines elsewhere, NDJSON for scripts. */
export function createProgressView(session: Session): ProgressView {
  if (session.json) return ndjsonView(session);
  return session.terminal.stderr.isTTY ? barView(session) : lineView(session);
}

function ndjsonView(session: Session): ProgressView {
  let before: WatchedJob | undefined;
  return {
    show(job) {
      for (const change of changesBetween(before, job)) session.printJson(change);
      before = job;
    },
    note: session.note,
    stop: () => {},
  };
}

/** Progress is told at most in steps of this, so that a log file of a build stays readable. */
const LINE_STEP = 0.1;

function lineView(session: Session): ProgressView {
  const paint: Paint = (_style, text) => text;
  let before: WatchedJob | undefined;
  let told = -1;
  return {
    show(job) {
      for (const change of changesBetween(before, job)) {
        if (!isWorthALine(change, before)) continue;
        if (change.kind === 'progress') {
          if (change.fraction < 1 && Math.abs(change.fraction - told) < LINE_STEP) continue;
          told = change.fraction;
        }
        session.note(describe(change, paint));
      }
      before = job;
    },
    note: session.note,
    stop: () => {},
  };
}

function isWorthALine(change: Change, before: WatchedJob | undefined): boolean {
  // How the job ended is told once, by the command itself.
  if (change.kind === 'state') return !isFinal(change.state);
  // The first place, and what holds it up: each step of a long line would fill the file.
  return change.kind !== 'position' || change.reason !== before?.job.position?.reason;
}

function barView({ terminal }: Session): ProgressView {
  const paint = paintFor(terminal.stderr, terminal.env);
  const bars = new cliProgress.MultiBar({
    stream: terminal.stderr,
    hideCursor: true,
    // Turned off, the library cuts the last drawing in the middle of a colour code; `drawBar` keeps to the width itself.
    linewrap: null,
    // Without it a bar that did not change vanishes behind the log line above it.
    forceRedraw: true,
    // Ctrl-C is the command's own: it says that the job goes on.
    gracefulExit: false,
    format: (_options, { maxWidth }, job: Job | undefined) => drawBar(job, maxWidth, paint),
  });
  const bar = bars.create(1, 0, undefined);
  let before: WatchedJob | undefined;
  return {
    show(job) {
      for (const change of changesBetween(before, job)) {
        if (change.kind === 'log' || change.kind === 'output') bars.log(`${describe(change, paint)}\n`);
      }
      bar.update(fractionOf(job.job) ?? 0, job.job);
      before = job;
    },
    note: (text) => bars.log(`${paint('dim', text)}\n`),
    stop() {
      // `stop` alone would drop lines that wait for the next turn.
      bars.update();
      bars.stop();
    },
  };
}

const BAR_WIDTH = 28;

/** One line: bar, percentage, state and message, cut to the terminal's width. */
export function drawBar(job: Job | undefined, width: number, paint: Paint): string {
  if (!job) return paint('dim', 'connecting');
  const fraction = fractionOf(job) ?? 0;
  const filled = Math.round(fraction * BAR_WIDTH);
  const bar = paint(barStyle(job), '━'.repeat(filled)) + paint('dim', '─'.repeat(BAR_WIDTH - filled));
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const retried = job.attempt > 1 ? ` (attempt ${job.attempt} of ${job.attempts})` : '';
  const words = `${job.state}${retried}`;
  const room = width - BAR_WIDTH - percent.length - words.length - 6;
  const place = job.position && placeText(job.position, Date.now());
  const message = room > 1 ? oneLine(place ?? job.progress?.message ?? '', room) : '';
  return `${bar} ${percent}  ${paintState(paint, job.state)}${paint('dim', retried)}  ${message}`;
}

function barStyle(job: Job): 'red' | 'yellow' | 'green' | 'cyan' {
  if (job.state === 'failed') return 'red';
  if (job.state === 'cancelled') return 'yellow';
  return job.state === 'completed' ? 'green' : 'cyan';
}

function describe(change: Change, paint: Paint): string {
  switch (change.kind) {
    case 'state':
      return change.attempt > 1 ? `${change.state} (attempt ${change.attempt})` : change.state;
    case 'position':
      return placeText(change, Date.parse(change.at));
    case 'progress':
      return `${Math.floor(change.fraction * 100)}% ${printable(change.message ?? '')}`.trimEnd();
    case 'log':
      return `${paint('dim', '│')} ${printable(change.line)}`;
    case 'output':
      return `${paint('dim', '»')} ${printable(JSON.stringify(change.chunk))}`;
  }
}
