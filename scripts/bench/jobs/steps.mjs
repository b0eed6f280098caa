import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob, Type } from '@spillway/worker';

/** What naive's worker does in its own words: sleeps and tells its progress, and nothing else. */
export const steps = defineJob({
  type: 'bench.steps',
  queue: 'demo',
  input: Type.Object({ steps: Type.Integer({ minimum: 1 }), stepMs: Type.Integer({ minimum: 0 }) }),
  async run({ input, progress }) {
    for (let step = 1; step <= input.steps; step += 1) {
      await sleep(input.stepMs);
      progress(step / input.steps);
    }
    return { steps: input.steps };
  },
});
