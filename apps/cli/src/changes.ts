import type { JobState, LogLine, OutputChunk, PlaceInLine, Progress, WatchedJob } from '@spillway/client';

/** What happened to a watched job, as `--json` prints it: one document a line. */
export type Change =
  | { kind: 'state'; job: string; state: JobState; attempt: number }
  | ({ kind: 'position'; job: string } & PlaceInLine)
  | ({ kind: 'progress'; job: string } & Progress)
  | ({ kind: 'log'; job: string } & LogLine)
  | ({ kind: 'output'; job: string } & OutputChunk);

/** What `now` has that `before` had not, in the order to tell it: a final state comes after the last lines. Pure. */
export function changesBetween(before: WatchedJob | undefined, now: WatchedJob): Change[] {
  const { id: job, state, attempt, progress, position } = now.job;
  const moved = before?.job.state !== state || before.job.attempt !== attempt;
  const told = before?.job.progress;
  const state$: Change[] = moved ? [{ kind: 'state', job, state, attempt }] : [];
  const rest: Change[] = [
    ...after(now.log, before?.cursor.log).map((line): Change => ({ kind: 'log', job, ...line })),
    ...after(now.output, before?.cursor.output).map((chunk): Change => ({ kind: 'output', job, ...chunk })),
  ];
  if (progress && (progress.fraction !== told?.fraction || progress.message !== told.message)) {
    rest.push({ kind: 'progress', job, ...progress });
  }
  if (position && position.at !== before?.job.position?.at) rest.push({ kind: 'position', job, ...position });
  return now.job.finishedAt ? [...rest, ...state$] : [...state$, ...rest];
}

function after<T extends { n: number }>(items: readonly T[], from = 0): T[] {
  return items.filter(({ n }) => n >= from);
}
