// The naive reference's worker: one BullMQ Worker that runs every kind of job.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';

const handlers = {
  noop: async () => ({}),
  steps: async (job) => {
    const { steps, stepMs } = job.data;
    for (let step = 1; step <= steps; step += 1) {
      await sleep(stepMs);
      await job.updateProgress(step / steps);
    }
    return { steps };
  },
};

const worker = new Worker('jobs', (job) => handlers[job.name](job), {
  connection: { url: process.env.REDIS_URL },
  concurrency: Number(process.env.CONCURRENCY ?? 50),
});

async function stop() {
  await worker.close();
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('disconnect', stop);

await worker.waitUntilReady();
process.send?.({ kind: 'ready' });
