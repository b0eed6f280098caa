// A bare BullMQ worker whose jobs take 2 ms: first come, first served.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';

const worker = new Worker('jobs', () => sleep(2, {}), {
  connection: { url: process.env.REDIS_URL },
  concurrency: Number(process.env.CONCURRENCY),
});

async function stop() {
  await worker.close();
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('disconnect', stop);

await worker.waitUntilReady();
process.send?.({ kind: 'ready' });
