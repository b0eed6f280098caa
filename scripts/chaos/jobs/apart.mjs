import { defineJob } from '@spillway/worker';
import { runWork, workInput } from './shared/work.mjs';

/** Isolates are as many as jobs run at once, and each costs a start of half a second on the cores that are to be measured. */
const SHARED = { queue: 'chaos-apart', concurrency: 2, input: workInput };

/** As it was at the beginning: a process that has lost its parent has another one. */
const WORKER = process.ppid;

export const thread = defineJob({
  ...SHARED,
  type: 'chaos.thread',
  isolate: 'thread',
  run: (context) => runWork(context),
});

/** Marks tell the worker that the process belongs to: it must not outlive it. */
export const inProcess = defineJob({
  ...SHARED,
  type: 'chaos.process',
  isolate: 'process',
  run: (context) => runWork(context, { parent: WORKER }),
});
