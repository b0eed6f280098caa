import { defineJob } from '@spillway/worker';
import { z } from 'zod';
import { nameRun } from './shared/work.mjs';

/** What a schedule submits: all with one input, so each is told from the others by its id. */
export const tick = defineJob({
  type: 'chaos.tick',
  queue: 'chaos',
  input: z.object({}),
  run({ id, attempt, output }) {
    const { run, mark } = nameRun({ id, attempt }, id);
    mark('start');
    output({ run });
    mark('effect');
    return { run };
  },
});
