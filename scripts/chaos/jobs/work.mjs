import { openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { z } from 'zod';

/**
 * The job of the chaos run. Each run of it (an attempt in one process) has a name. Its start and its effect are written to
 * a file outside of Redis; its chunks of output, each with the name, are what only the holder of the lease can write.
 */
export const work = defineJob({
  type: 'chaos.work',
  queue: 'chaos',
  input: z.object({
    key: z.string(),
    workMs: z.number(),
    steps: z.number().int(),
    failFirst: z.number().int(),
    deaf: z.boolean(),
  }),
  async run({ id, input, attempt, output, signal }) {
    const run = nameRun();
    const mark = (/** @type {string} */ phase) =>
      record({ job: id, key: input.key, run, attempt, phase, at: Date.now() });
    mark('start');
    for (let step = 0; step < input.steps; step++) {
      output({ run, step });
      // One that does not listen goes on when its lease is lost: what it says then must not be seen.
      await sleep(input.workMs / input.steps, undefined, input.deaf ? {} : { signal });
    }
    output({ run, step: input.steps });
    if (attempt <= input.failFirst) {
      mark('fail');
      throw new Error(`told to fail ${input.failFirst} times`);
    }
    mark('effect');
    return { run };
  },
});

let runs = 0;

function nameRun() {
  runs += 1;
  return `${process.pid}.${runs}`;
}

/** @type {number | undefined} */
let file;

/** One write a line: whole lines survive a kill at any instant. @param {object} mark */
function record(mark) {
  file ??= openSync(path.join(process.env.CHAOS_RECORDS ?? '.', `marks-${process.pid}.ndjson`), 'a');
  writeSync(file, `${JSON.stringify(mark)}\n`);
}
