import { openMeter } from '../cpu.mjs';
import { naive } from '../systems/naive.mjs';
import { plain } from '../systems/plain.mjs';
import { spillway } from '../systems/spillway.mjs';
import { cpuPerJob, cpuRows, foreignPercent, foreignRow } from './figures.mjs';
import { drained, fill } from './fill.mjs';

export const drain = {
  name: 'drain',
  scenarios({ quick, concurrency }) {
    const count = quick ? 5_000 : 50_000;
    const what = `${count.toLocaleString('en')} no-op jobs, one worker process, concurrency ${concurrency}`;
    return [
      {
        id: 'drain',
        title: `Drain: ${what}, nothing else running`,
        systems: [plain, spillway],
        targets: [{ key: 'rate', ratioMin: 0.9 }],
        rows: rowsFor(['worker', 'redis']),
        measure: (context) => measureDrain(context, count, { serverToo: false }),
      },
      {
        id: 'drain-all-running',
        title: `Drain with all services running: ${what}`,
        systems: [naive, spillway],
        targets: [],
        rows: rowsFor(['api', 'status', 'worker', 'redis']),
        measure: (context) => measureDrain(context, count, { serverToo: true }),
      },
    ];
  },
};

export function rowsFor(parts) {
  return [{ key: 'rate', title: 'jobs completed per second', digits: 0 }, ...cpuRows(parts), foreignRow];
}

export async function measureDrain({ stage, system }, count, { serverToo }) {
  if (system.startServer) {
    await system.startServer();
    await system.prepare();
  }
  await fill(stage, system, count);
  if (serverToo) await system.attend();
  else await system.stopServer?.();

  await system.startWorker();
  // The start of the worker is not counted: CPU is metered from the first completed jobs that are seen.
  let meter;
  let before = 0;
  await drained(system.queue, count, (completed) => {
    if (meter || completed === 0) return;
    meter = openMeter(system.parts(), stage.pids());
    before = completed;
  });
  const reading = meter.read();
  const run = await system.queue.run();
  return {
    rate: ((run.count - 1) * 1000) / run.elapsedMs,
    ...cpuPerJob(reading, run.count - before),
    ...foreignPercent(reading),
  };
}
