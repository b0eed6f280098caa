import { defineJob } from '@spillway/worker';
import { runWork, workInput } from './shared/work.mjs';

export const work = defineJob({
  type: 'chaos.work',
  queue: 'chaos',
  input: workInput,
  run: (context) => runWork(context),
});

/** In a queue of its own, where groups have a cap. */
export const grouped = defineJob({
  type: 'chaos.grouped',
  queue: 'chaos-groups',
  input: workInput,
  run: (context) => runWork(context),
});
