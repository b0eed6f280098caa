import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { z } from 'zod';
import { nameRun } from './shared/work.mjs';

/** Marks the work of each step, and what the handler got from the step: the work's value, or the remembered one. */
export const stepwise = defineJob({
  type: 'chaos.stepwise',
  queue: 'chaos',
  input: z.object({ key: z.string(), steps: z.number().int(), workMs: z.number(), failFirst: z.number().int() }),
  async run({ id, input, attempt, output, step, signal }) {
    const { run, mark } = nameRun({ id, attempt }, input.key);
    mark('start');
    output({ run });
    for (let n = 0; n < input.steps; n++) {
      const value = await step(`step ${n}`, async () => {
        mark('step', { step: n });
        await sleep(input.workMs, undefined, { signal });
        return run;
      });
      mark('stepped', { step: n, value });
      if (n === 1 && attempt <= input.failFirst) {
        mark('fail');
        throw new Error(`told to fail ${input.failFirst} times`);
      }
    }
    mark('effect');
    return { run };
  },
});
