import { setInterval as every } from 'node:timers/promises';
import { openMeter } from '../cpu.mjs';
import { percentile } from '../statistics.mjs';
import { firstCome, inTenGroups, inTurns, withoutGroups } from '../systems/fair.mjs';
import { measureDrain, rowsFor } from './drain.mjs';
import { cpuPerJob, cpuRows, foreignPercent, foreignRow } from './figures.mjs';

const SMALL = Array.from({ length: 9 }, (_, n) => `small ${n + 1}`);
const EVERY_MS = 100;
const CHUNK = 1_000;

export const fair = {
  name: 'fair',
  scenarios({ quick, concurrency }) {
    const count = quick ? 4_000 : 20_000;
    const jobs = count.toLocaleString('en');
    return [
      {
        id: 'fair',
        title: `Fairness: ${jobs} jobs of 2 ms of one customer, nine others submit one each every ${EVERY_MS} ms meanwhile; one worker process, concurrency ${concurrency}`,
        systems: [firstCome, inTurns],
        targets: [{ key: 'p99', ratioMax: 0.1 }],
        rows: [
          { key: 'p50', title: 'submit to start p50 of the nine, ms', digits: 1 },
          { key: 'p99', title: 'submit to start p99 of the nine, ms', digits: 1 },
          { key: 'rate', title: 'jobs completed per second', digits: 0 },
          ...cpuRows(['worker', 'redis']),
          foreignRow,
        ],
        measure: (context) => measure(context, count),
      },
      {
        id: 'fair-cost',
        title: `What a group costs: ${jobs} no-op jobs, one worker process, concurrency ${concurrency}, nothing else running`,
        systems: [withoutGroups, inTenGroups],
        targets: [],
        rows: rowsFor(['worker', 'redis']),
        measure: (context) => measureDrain(context, count, { serverToo: false }),
      },
    ];
  },
};

async function measure({ stage, redis, system }, count) {
  await system.startServer?.();
  await system.prepare?.();
  for (let put = 0; put < count; put += CHUNK) await system.put(Array(Math.min(CHUNK, count - put)).fill('large'));
  await system.startWorker();
  const meter = openMeter(system.parts(), stage.pids());
  const small = await submitWhileBusy(system, count);
  const reading = meter.read();
  const waits = await waitsOf(redis, system);
  const run = await system.queue.run();
  await system.close?.();
  if (waits.length !== small)
    throw new Error(`Expected the ends of ${small} jobs of the nine, but found ${waits.length}.`);
  return {
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    rate: ((run.count - 1) * 1000) / run.elapsedMs,
    ...cpuPerJob(reading, run.count),
    ...foreignPercent(reading),
  };
}

/** The nine submit for as long as the large one has jobs; returns how many jobs they put in, once all have ended. */
async function submitWhileBusy(system, count) {
  let small = 0;
  for await (const _ of every(EVERY_MS)) {
    const completed = await system.queue.completed();
    if (completed >= count + small) return small;
    if (completed >= count) continue;
    await system.put(SMALL);
    small += SMALL.length;
  }
}

/** From the submit to the start, in ms, of each job of the nine: by the stamps that the engine keeps in both systems. */
async function waitsOf(redis, system) {
  const waits = [];
  for (const id of await system.queue.ended()) {
    const [timestamp, startedAt, data] = await redis.client.hmget(
      system.jobKey(id),
      'timestamp',
      'processedOn',
      'data',
    );
    if (JSON.parse(data).group !== 'large') waits.push(Number(startedAt) - Number(timestamp));
  }
  return waits;
}
