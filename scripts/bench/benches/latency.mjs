import { fileURLToPath } from 'node:url';
import { openMeter } from '../cpu.mjs';
import { startLoad } from '../load.mjs';
import { percentile } from '../statistics.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway, spillwayApart } from '../systems/spillway.mjs';
import { cpuPerJob, cpuRows, foreignPercent, foreignRow } from './figures.mjs';

const SOCKETS = 20;
const JOBS_PER_SECOND = 200;
const STEP_MS = 50;
/** V8 goes on compiling for some five seconds of this load, on both cores; what is asked is how a service runs, not how it begins. */
const WARM_UP_MS = 10_000;

export const latency = {
  name: 'latency',
  scenarios({ quick }) {
    const ms = quick ? { warmUp: 1_000, measured: 3_000 } : { warmUp: WARM_UP_MS, measured: 10_000 };
    const how = `${JOBS_PER_SECOND} jobs per second for ${ms.measured / 1000} s, ${SOCKETS} sockets`;
    return [
      { id: 'latency', title: `Latency, no-op jobs: ${how}`, ...scenario('noop', ms, 0) },
      {
        id: 'latency-50-ms',
        title: `Latency, jobs of ${STEP_MS} ms (which are subtracted): ${how}`,
        ...scenario('steps', ms, STEP_MS),
      },
    ];
  },
};

/** Its worker has the very job of naive's: `demo.steps` also writes a log line and listens to its signal. */
const withSameJob = (system) => ({
  ...system,
  create: (stage, redis, options) =>
    system.create(stage, redis, {
      ...options,
      jobs: fileURLToPath(new URL('../jobs/steps.mjs', import.meta.url)),
      types: { noop: 'demo.noop', steps: 'bench.steps' },
    }),
});

function scenario(type, ms, workMs) {
  return {
    systems: [naive, withSameJob(spillwayApart), withSameJob(spillway)],
    targets: [
      { key: 'p50', ratioMax: 1 },
      { key: 'p99', ratioMax: 1 },
      { key: 'lost', valueMax: 0 },
    ],
    rows: [
      { key: 'p50', title: 'submit to end event p50, all jobs, ms', digits: 1 },
      { key: 'p99', title: 'submit to end event p99, all jobs, ms', digits: 1 },
      { key: 'p50Seen', title: 'p50 of those that were seen, ms', digits: 1 },
      { key: 'p99Seen', title: 'p99 of those that were seen, ms', digits: 1 },
      { key: 'lost', title: 'end events lost, % of the jobs', digits: 2, ratio: false },
      ...cpuRows(['api', 'status', 'worker', 'redis']),
      foreignRow,
    ],
    measure: (context) => measure(context, type, ms, workMs),
  };
}

async function measure({ stage, system }, type, ms, workMs) {
  await system.startServer();
  await system.prepare();
  await system.startWorker();
  const load = await startLoad(stage, 'live');
  const live = system.live();
  const plan = {
    ...live,
    submit: system.submit(type, undefined, { minimal: true }),
    sockets: SOCKETS,
    perSecond: JOBS_PER_SECOND,
  };
  await load.run({ ...plan, durationMs: ms.warmUp });
  const meter = openMeter(system.parts(), stage.pids());
  const { latenciesMs, jobs, lost } = await load.run({ ...plan, durationMs: ms.measured });
  const reading = meter.read();
  if (latenciesMs.length === 0) throw new Error(`Expected the ends of ${jobs} jobs, but none was seen.`);
  // An end that is never seen is the longest wait of all: left out, losing the quickest jobs would look like speed.
  const all = [...latenciesMs, ...Array(lost).fill(Number.POSITIVE_INFINITY)];
  return {
    p50: percentile(all, 0.5) - workMs,
    p99: percentile(all, 0.99) - workMs,
    p50Seen: percentile(latenciesMs, 0.5) - workMs,
    p99Seen: percentile(latenciesMs, 0.99) - workMs,
    lost: (lost / jobs) * 100,
    ...cpuPerJob(reading, jobs),
    ...foreignPercent(reading),
  };
}
