import { setTimeout as sleep } from 'node:timers/promises';
import { openMeter, residentMb } from '../cpu.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';

const PARTS = ['api', 'status', 'worker', 'redis'];
const ALL = [...PARTS, 'all'];

export const start = {
  name: 'start',
  scenarios({ quick }) {
    const ms = quick ? { settle: 1_000, idle: 5_000 } : { settle: 5_000, idle: 30_000 };
    return [
      {
        id: 'start',
        title: `Start-up, and ${ms.idle / 1000} s of idling after it`,
        systems: [naive, spillway],
        targets: [],
        rows: [
          { key: 'ready.api', title: 'api, spawn to ready, ms', digits: 0 },
          { key: 'ready.status', title: 'status, spawn to ready, ms', digits: 0 },
          { key: 'ready.worker', title: 'worker, spawn to ready, ms', digits: 0 },
          ...ALL.map((part) => ({ key: `idle.${part}`, title: `idle CPU of ${part}, ms per minute`, digits: 0 })),
          ...ALL.map((part) => ({ key: `rss.${part}`, title: `resident memory of ${part}, MB`, digits: 0 })),
          foreignRow,
        ],
        measure: (context) => measure(context, ms),
      },
    ];
  },
};

async function measure({ stage, system }, ms) {
  await system.startServer();
  await system.startWorker();
  await sleep(ms.settle);
  const parts = system.parts();
  const meter = openMeter(parts, stage.pids());
  await sleep(ms.idle);
  const reading = meter.read();
  const perMinute = (cpu) => (cpu === undefined ? undefined : (cpu * 60_000) / reading.elapsedMs);
  return {
    ...named('ready', system.readyMs(), (value) => value),
    ...withSum('idle', named('idle', reading.cpuMs, perMinute)),
    ...withSum('rss', named('rss', parts, residentMb)),
    ...foreignPercent(reading),
  };
}

function named(prefix, values, change) {
  return Object.fromEntries(Object.entries(values).map(([part, value]) => [`${prefix}.${part}`, change(value)]));
}

function withSum(prefix, values) {
  const sum = Object.values(values).reduce((total, value) => total + value, 0);
  return { ...values, [`${prefix}.all`]: Number.isNaN(sum) ? undefined : sum };
}
