import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { nameRun, workInput } from './shared/work.mjs';

const WORK_MS = 50;

/** Several jobs in one run, each with a name of its own; some fail alone. */
export const together = defineJob({
  type: 'chaos.together',
  queue: 'chaos-together',
  input: workInput,
  batch: { size: 10, waitMs: 100 },
  async runMany({ jobs }) {
    const named = jobs.map((job) => ({ job, ...nameRun(job, job.input.key) }));
    for (const { job, run, mark } of named) {
      mark('start');
      job.output({ run });
    }
    await sleep(WORK_MS);
    return named.map(({ job, run, mark }) => {
      if (job.attempt <= job.input.failFirst) {
        mark('fail');
        return new Error(`told to fail ${job.input.failFirst} times`);
      }
      mark('effect');
      return { run };
    });
  },
});
