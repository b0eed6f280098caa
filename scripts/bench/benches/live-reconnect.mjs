import { cpuMs, openMeter } from '../cpu.mjs';
import { percentile } from '../statistics.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { crowdParts, gather, LIVE, submitJobs } from './crowd.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';
import { portForRestart } from './restart-port.mjs';

const FLOWING_TIMEOUT_MS = 15_000;
const BACK_TIMEOUT_MS = 60_000;

export function reconnect({ quick }) {
  const crowd = quick
    ? { connections: 500, jobs: 100, steps: 6, stepMs: 1_000, graceMs: 3_000 }
    : { connections: 10_000, jobs: 1_000, steps: 10, stepMs: 2_000, graceMs: 7_000 };
  const { connections, jobs, steps, stepMs } = crowd;
  const work = `${jobs.toLocaleString('en')} jobs of ${steps} steps of ${stepMs / 1000} s`;
  return {
    id: 'live-reconnect',
    title: `Reconnect: ${connections.toLocaleString('en')} watchers of ${work}; ${LIVE} is killed and started again meanwhile, straight to it`,
    connections,
    systems: [naive, spillway],
    targets: [
      { key: 'allBack', valueMax: 15 },
      { key: 'lost', valueMax: 0 },
    ],
    rows: [
      { key: 'allBack', title: 'from the kill until all were back and answered, s', digits: 1 },
      { key: 'halfBack', title: 'until half of them were, s', digits: 1 },
      { key: 'lost', title: 'events lost, %', digits: 2, ratio: false },
      { key: 'lostEnds', title: 'watchers that did not see the end, %', digits: 2, ratio: false },
      { key: 'refused', title: 'connections refused by the server meanwhile', digits: 0, ratio: false },
      { key: 'failed', title: 'attempts that nobody answered', digits: 0, ratio: false },
      { key: 'cpu', title: `CPU of ${LIVE} until all were back, s`, digits: 1 },
      { key: 'watchersCpu', title: 'CPU of the watchers meanwhile, s', digits: 1 },
      foreignRow,
    ],
    measure: (context) => measure(context, crowd),
  };
}

async function measure({ stage, system }, { connections, jobs: jobCount, steps, stepMs, graceMs }) {
  const crowd = await gather({ stage, system }, connections, { livePort: await portForRestart() });
  const jobs = await submitJobs(system.submit('steps', { steps, stepMs }), jobCount);
  await crowd.open();
  await crowd.order('watch', { jobs });
  await system.startWorker({ jobs: jobCount });
  await crowd.order('flowing', { timeoutMs: FLOWING_TIMEOUT_MS });
  await crowd.order('reset');

  const since = Date.now();
  await system.crashLive();
  const parts = crowdParts(system, { watchers: crowd.pid });
  const meter = openMeter(parts, stage.pids());
  const { backAfterMs, refused, failed } = await crowd.order('back', { since, timeoutMs: BACK_TIMEOUT_MS });
  const reading = meter.read();
  // All that the new process has used so far: its start is part of the bill.
  const usedMs = cpuMs(parts.live);
  const { missing, endsMissing } = await crowd.order('settle', { each: steps, ends: true, graceMs });
  const waits = backAfterMs.map((ms) => (ms ?? Number.POSITIVE_INFINITY) / 1000);
  return {
    allBack: Math.max(...waits),
    halfBack: percentile(waits, 0.5),
    lost: (missing / (steps * connections)) * 100,
    lostEnds: (endsMissing / connections) * 100,
    refused,
    failed,
    cpu: seconds(usedMs),
    watchersCpu: seconds(reading.cpuMs.watchers),
    ...foreignPercent(reading),
  };
}

function seconds(ms) {
  return ms === undefined ? undefined : ms / 1000;
}
