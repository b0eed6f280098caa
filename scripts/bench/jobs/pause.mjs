import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { z } from 'zod';

/** Stands for 2 ms of work that waits for something else. The plain worker has the same. */
export const pause = defineJob({
  type: 'bench.pause',
  queue: 'demo',
  input: z.object({ group: z.string() }),
  async run() {
    await sleep(2);
    return {};
  },
});
