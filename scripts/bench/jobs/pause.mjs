import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { Type } from 'typebox';

/** Stands for 2 ms of work that waits for something else. The plain worker has the same. */
export const pause = defineJob({
  type: 'bench.pause',
  queue: 'demo',
  input: Type.Object({ group: Type.String() }),
  async run() {
    await sleep(2);
    return {};
  },
});
