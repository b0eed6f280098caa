import { defineJob } from '@spillway/worker';
import { runWork, workInput } from './shared/work.mjs';

/** A queue has as many isolates as it runs jobs at once, and their starts are dear. */
const SHARED = { concurrency: 1, input: workInput };

/** As it was at the beginning: a process that has lost its parent has another one. */
const WORKER = process.ppid;

export const thread = defineJob({
  ...SHARED,
  type: 'chaos.thread',
  queue: 'chaos-threads',
  isolate: 'thread',
  run: (context) => runWork(context),
});

/** Marks tell the worker that the process belongs to: it must not outlive it. */
export const inProcess = defineJob({
  ...SHARED,
  type: 'chaos.process',
  queue: 'chaos-processes',
  isolate: 'process',
  run: (context) => runWork(context, { parent: WORKER }),
});
