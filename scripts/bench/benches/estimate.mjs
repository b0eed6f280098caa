import { setTimeout as sleep } from 'node:timers/promises';
import { openMeter } from '../cpu.mjs';
import { percentile } from '../statistics.mjs';
import { spillway } from '../systems/spillway.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';

const SLOTS = 10;
/** Run times are spread evenly between these: 20 ms on average. */
const RUN_MS = { from: 5, to: 35 };
/** The line is kept about this long, so that a job waits for most of a second. */
const WAITING = 400;
const TOP_UP_MS = 50;
/** Between two jobs whose place is asked for. */
const ASK_MS = 100;

export const estimate = {
  name: 'estimate',
  scenarios({ quick }) {
    const ms = quick ? { warmUp: 3_000, measured: 3_000 } : { warmUp: 12_000, measured: 30_000 };
    const jobs = `jobs of ${RUN_MS.from} to ${RUN_MS.to} ms, ${SLOTS} at a time, about ${WAITING} waiting`;
    return [
      {
        id: 'estimate',
        title: `Estimated and real time to the start: ${jobs}, for ${ms.measured / 1000} s`,
        systems: [spillway],
        targets: [{ key: 'error', valueMax: 20 }],
        rows: [
          { key: 'error', title: 'error of the estimate, median, %', digits: 1 },
          { key: 'errorP90', title: 'the same, p90, %', digits: 1 },
          { key: 'bias', title: 'told minus real, median, % (above 0: started earlier than told)', digits: 1 },
          { key: 'real', title: 'real wait after the question, median, ms', digits: 0 },
          { key: 'asked', title: 'jobs asked about', digits: 0 },
          { key: 'ahead', title: 'jobs before them as told, median', digits: 0 },
          foreignRow,
        ],
        measure: (context) => measure(context, ms),
      },
    ];
  },
};

async function measure({ stage, system }, ms) {
  await system.startServer();
  await system.prepare();
  await system.startWorker({ jobs: SLOTS });
  const api = callsOf(system);
  const fresh = [];
  const topping = keepFilled(system, api, fresh);
  await sleep(ms.warmUp);
  const meter = openMeter(system.parts(), stage.pids());
  const asked = await ask(api, fresh, ms.measured);
  const reading = meter.read();
  await topping.stop();
  const samples = await real(api, asked);
  if (samples.length === 0) throw new Error('Expected estimates of waiting jobs, but none was told.');
  const errors = samples.map(({ toldMs, realMs }) => ((toldMs - realMs) / realMs) * 100);
  return {
    error: percentile(errors.map(Math.abs), 0.5),
    errorP90: percentile(errors.map(Math.abs), 0.9),
    bias: percentile(errors, 0.5),
    real: percentile(
      samples.map(({ realMs }) => realMs),
      0.5,
    ),
    asked: samples.length,
    ahead: percentile(
      samples.map(({ ahead }) => ahead),
      0.5,
    ),
    ...foreignPercent(reading),
  };
}

function callsOf(system) {
  const { url, headers } = system.submit('steps');
  const json = async (method, target, body) => {
    const reply = await fetch(target, { method, headers, body });
    if (!reply.ok) throw new Error(`Expected ${method} ${target} to succeed, but it says ${reply.status}.`);
    return reply.json();
  };
  return {
    job: (id) => json('GET', `${url}/${id}`),
    submit: (bodies) => json('POST', url.replace(/jobs$/, 'batches'), `[${bodies.join(',')}]`),
    body: (input) => system.submit('steps', input).body,
  };
}

/** Puts in as many jobs as have started; `fresh` holds the latest ones, which stand at the end of the line. */
function keepFilled(system, api, fresh) {
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const missing = WAITING - (await system.queue.waiting());
      if (missing > 0) {
        const { jobs } = await api.submit(Array.from({ length: missing }, () => api.body(randomSteps())));
        fresh.splice(0, fresh.length, ...jobs.map(({ id }) => id));
      }
      await sleep(TOP_UP_MS);
    }
  };
  const running = run();
  // It is waited for at the end; a failure before that ends the measurement then.
  running.catch(() => {});
  return {
    stop() {
      stopped = true;
      return running;
    },
  };
}

function randomSteps() {
  return { steps: 1, stepMs: RUN_MS.from + Math.floor(Math.random() * (RUN_MS.to - RUN_MS.from + 1)) };
}

async function ask(api, fresh, durationMs) {
  const asked = [];
  const until = performance.now() + durationMs;
  while (performance.now() < until) {
    const id = fresh[Math.floor(Math.random() * fresh.length)];
    const { position } = id ? await api.job(id) : {};
    if (position?.startsInMs !== undefined) asked.push({ id, ...position });
    await sleep(ASK_MS);
  }
  return asked;
}

/** When those jobs really started, by the worker's clock, which is this machine's as Redis' is. */
async function real(api, asked) {
  const samples = [];
  for (const { id, at, startsInMs, ahead } of asked) {
    const { startedAt } = await api.job(id);
    const realMs = Date.parse(startedAt) - Date.parse(at);
    if (realMs > 0) samples.push({ toldMs: startsInMs, realMs, ahead });
  }
  return samples;
}
