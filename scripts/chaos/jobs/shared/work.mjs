import { openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { z } from 'zod';

/** @typedef {{ key: string, workMs: number, steps: number, failFirst: number, deaf: boolean, group?: string, dedupe?: string }} Work */

export const workInput = z.object({
  key: z.string(),
  workMs: z.number(),
  steps: z.number().int(),
  failFirst: z.number().int(),
  deaf: z.boolean(),
  group: z.string().optional(),
  dedupe: z.string().optional(),
});

let runs = 0;

/**
 * Gives a run of a job (an attempt in one process) a name, and a way to write down what it does to a file outside of Redis.
 * @param {{ id: string, attempt: number }} job
 * @param {string} key
 * @param {object} [more] what stands in every line
 */
export function nameRun({ id, attempt }, key, more = {}) {
  runs += 1;
  const run = `${process.pid}.${threadId}.${runs}`;
  const mark = (/** @type {string} */ phase, /** @type {object} */ detail = {}) =>
    record({ job: id, key, run, attempt, phase, ...more, ...detail, at: Date.now() });
  return { run, mark };
}

/**
 * Works for as long as the input says. Its start and its effect are marked; its chunks of output, each with the name of
 * the run, are what only the holder of the lease can write.
 * @param {Pick<import('@spillway/worker').JobContext<Work>, 'id' | 'input' | 'attempt' | 'output' | 'signal'>} context
 * @param {object} [more]
 */
export async function runWork({ id, input, attempt, output, signal }, more = {}) {
  const { run, mark } = nameRun({ id, attempt }, input.key, { ...more, group: input.group, dedupe: input.dedupe });
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
}

/** @type {number | undefined} */
let file;

/** One write a line: whole lines survive a kill at any instant. @param {object} mark */
function record(mark) {
  file ??= openSync(path.join(process.env.CHAOS_RECORDS ?? '.', `marks-${process.pid}-${threadId}.ndjson`), 'a');
  writeSync(file, `${JSON.stringify(mark)}\n`);
}
