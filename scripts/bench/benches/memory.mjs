import { setTimeout as sleep } from 'node:timers/promises';
import { dataBytes } from '../queue-view.mjs';
import { naive, naiveOnShippedRedis } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { drained, fill } from './fill.mjs';

export const memory = {
  name: 'memory',
  scenarios({ quick }) {
    const count = quick ? 20_000 : 50_000;
    return [
      {
        id: 'memory',
        title: `Memory in Redis: ${count.toLocaleString('en')} no-op jobs, all kept`,
        // What the design saves beyond the Redis settings shows in the middle column.
        systems: [naive, naiveOnShippedRedis, spillway],
        targets: [
          { key: 'waiting', ratioMax: 0.7 },
          { key: 'completed', ratioMax: 0.7 },
        ],
        rows: [
          { key: 'waiting', title: 'bytes per waiting job', digits: 0 },
          { key: 'completed', title: 'bytes per completed job', digits: 0 },
          { key: 'completedOnly', title: 'the same without the event history', digits: 0 },
          { key: 'history', title: 'event history at the end, MB', digits: 2 },
        ],
        measure: (context) => measure(context, count),
      },
    ];
  },
};

async function measure({ stage, redis, system }, count) {
  await system.startServer();
  await system.prepare();
  const empty = await settledBytes(redis);
  await fill(stage, system, count);
  const full = await settledBytes(redis);
  await system.startWorker();
  await drained(system.queue, count);
  await system.stopWorker();
  const done = await settledBytes(redis);
  const history = await system.queue.historyBytes();
  return {
    waiting: (full - empty) / count,
    completed: (done - empty) / count,
    completedOnly: (done - empty - history) / count,
    history: history / 1e6,
  };
}

/** Redis grows its tables and frees what is unused little by little: waits until the figure rests. */
async function settledBytes(redis) {
  let last = Number.NaN;
  for (;;) {
    await sleep(500);
    const bytes = await dataBytes(redis);
    if (Math.abs(bytes - last) < 0.001 * bytes) return bytes;
    last = bytes;
  }
}
