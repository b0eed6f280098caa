import { openMeter } from '../cpu.mjs';
import { startLoad } from '../load.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { cpuPerJob, cpuRows, foreignPercent, foreignRow } from './figures.mjs';

const CONNECTIONS = 50;
/** Few connections, because each request keeps Redis and api busy for as long as a hundred single ones. */
const BULK = { jobs: 100, connections: 10 };

export const submit = {
  name: 'submit',
  scenarios({ quick }) {
    const seconds = quick ? { warmUp: 1, measured: 3 } : { warmUp: 3, measured: 8 };
    return [
      {
        id: 'submit',
        title: `Submit: one job per request, answered by its id as naive's is, ${CONNECTIONS} connections, ${seconds.measured} s, no worker running`,
        targets: [{ key: 'rate', ratioMin: 1.1 }],
        ...single(seconds, false, { minimal: true }),
      },
      {
        id: 'submit-whole-reply',
        title: `Submit, answered by the whole job with its links and a signed token to watch it: ${CONNECTIONS} connections, ${seconds.measured} s, no worker running`,
        targets: [],
        ...single(seconds, false),
      },
      {
        id: 'submit-while-running',
        title: `Submit while one worker runs the jobs: ${CONNECTIONS} connections, ${seconds.measured} s`,
        targets: [],
        ...single(seconds, true),
      },
      {
        id: 'submit-bulk',
        title: `Bulk: ${BULK.jobs} jobs per request, ${BULK.connections} connections, ${seconds.measured} s, no worker running`,
        targets: [],
        ...single(seconds, false, BULK),
      },
    ];
  },
};

function single(seconds, consumed, { jobs = 1, connections = CONNECTIONS, minimal = false } = {}) {
  const parts = consumed ? ['api', 'status', 'worker', 'redis'] : ['api', 'status', 'redis'];
  return {
    systems: [naive, spillway],
    rows: [
      { key: 'rate', title: 'jobs accepted per second', digits: 0 },
      { key: 'p50', title: 'reply p50, ms', digits: 1 },
      { key: 'p99', title: 'reply p99, ms', digits: 1 },
      ...cpuRows(parts),
      ...(consumed ? [{ key: 'left', title: 'jobs left waiting at the end', digits: 0, ratio: false }] : []),
      { key: 'failures', title: 'requests that failed', digits: 0, ratio: false },
      foreignRow,
    ],
    measure: (context) => measure(context, seconds, consumed, { jobs, connections, minimal }),
  };
}

async function measure({ stage, system }, seconds, consumed, { jobs, connections, minimal }) {
  await system.startServer();
  await system.prepare();
  await system.attend();
  if (consumed) await system.startWorker();
  const load = await startLoad(stage, 'http');
  const request = jobs === 1 ? system.submit('noop', undefined, { minimal }) : system.submitBulk('noop', jobs);
  const plan = { ...request, connections };
  await load.run({ ...plan, duration: seconds.warmUp });
  const meter = openMeter(system.parts(), stage.pids());
  const { replies, failures, elapsedMs, p50Ms, p99Ms } = await load.run({ ...plan, duration: seconds.measured });
  const reading = meter.read();
  return {
    rate: (replies * jobs * 1000) / elapsedMs,
    p50: p50Ms,
    p99: p99Ms,
    left: await system.queue.waiting(),
    failures,
    ...cpuPerJob(reading, replies * jobs),
    ...foreignPercent(reading),
  };
}
