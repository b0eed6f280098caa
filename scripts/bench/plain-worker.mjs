// A bare BullMQ worker: the least that can drain a queue, and so the yardstick for `drain`.
import { Worker } from 'bullmq';

const worker = new Worker('jobs', async () => ({}), {
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
