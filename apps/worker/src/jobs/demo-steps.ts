import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob, Type } from '@spillway/worker';

export const steps = defineJob({
  type: 'demo.steps',
  queue: 'demo',
  title: 'Walk through steps',
  description: 'Sleeps step by step, with progress and log, for trying things out.',
  examples: [{ steps: 5, stepMs: 200 }],
  timeoutMs: 4 * 60 * 60_000,
  input: Type.Object(
    {
      steps: Type.Integer({ minimum: 1, maximum: 1000, default: 5 }),
      stepMs: Type.Integer({ minimum: 0, maximum: 10_000, default: 200, description: 'how long each step takes' }),
      failAt: Type.Optional(Type.Integer({ minimum: 1, description: 'the step that throws an error' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({ steps: Type.Integer() }),
  async run({ input, signal, progress, log }) {
    for (let step = 1; step <= input.steps; step++) {
      await sleep(input.stepMs, undefined, { signal });
      if (step === input.failAt) throw new Error(`step ${step} failed, as it was asked to`);
      log(`step ${step} of ${input.steps} done`);
      progress(step / input.steps, `step ${step} of ${input.steps}`);
    }
    return { steps: input.steps };
  },
});
