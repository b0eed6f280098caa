import { setTimeout as sleep } from 'node:timers/promises';
import { openMeter, residentMb } from '../cpu.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';
import { crowdParts, gather, LIVE, shares, submitJobs } from './crowd.mjs';
import { foreignPercent, foreignRow } from './figures.mjs';

const SAMPLE_MS = 1_000;
const SETTLE_TIMEOUT_MS = 10_000;

export function idle({ quick }) {
  const connections = quick ? 500 : 10_000;
  const idleMs = quick ? 1_000 : 15_000;
  return {
    id: 'live-idle',
    title: `Idle connections: ${connections.toLocaleString('en')} in one process, straight to ${LIVE}`,
    connections,
    systems: [naive, spillway],
    // A few hundred connections weigh no more than the heap's own ups and downs.
    targets: quick ? [] : [{ key: 'kb', valueMax: 20 }],
    rows: [
      { key: 'kb', title: `memory of ${LIVE} per idle connection, KB`, digits: 1 },
      { key: 'watchKb', title: 'more where each watches a waiting job of its own, KB', digits: 1 },
      { key: 'connect', title: 'CPU of it per connect, us', digits: 0 },
      { key: 'watch', title: 'CPU of it per watch, us', digits: 0 },
      { key: 'openS', title: 'time until all were connected, s', digits: 1 },
      { key: 'watchS', title: 'time until all watched, s', digits: 1 },
      { key: 'core.live', title: 'CPU of it while all idle, % of a core', digits: 1 },
      { key: 'refused', title: 'connections refused at first', digits: 0, ratio: false },
      foreignRow,
    ],
    measure: (context) => measure(context, connections, idleMs),
  };
}

async function measure({ stage, system }, connections, idleMs) {
  const crowd = await gather({ stage, system }, connections);
  const jobs = await submitJobs(system.submit('noop'), connections);
  const parts = crowdParts(system, { watchers: crowd.pid });
  const kb = async () => (await settledMb(parts.live)) * 1024;
  const cpuOf = async (work) => {
    const meter = openMeter(parts, []);
    const { elapsedMs, refused } = await work();
    return { us: (meter.read().cpuMs.live * 1000) / connections, s: elapsedMs / 1000, refused };
  };

  const emptyKb = await kb();
  const opened = await cpuOf(() => crowd.open());
  const openKb = await kb();
  const meter = openMeter(parts, stage.pids());
  await sleep(idleMs);
  const reading = meter.read();
  const watched = await cpuOf(() => crowd.order('watch', { jobs }));
  const watchKb = await kb();
  return {
    kb: known((openKb - emptyKb) / connections),
    watchKb: known((watchKb - openKb) / connections),
    connect: known(opened.us),
    watch: known(watched.us),
    openS: opened.s,
    watchS: watched.s,
    refused: opened.refused,
    'core.live': shares(reading, reading.elapsedMs)['core.live'],
    ...foreignPercent(reading),
  };
}

/** What could not be read is no number. */
function known(value) {
  return Number.isNaN(value) ? undefined : value;
}

/** Waits until the memory of a process rests: garbage of what it has just done goes within some seconds. */
async function settledMb(pid) {
  const giveUpAt = performance.now() + SETTLE_TIMEOUT_MS;
  let last = Number.NaN;
  for (;;) {
    await sleep(SAMPLE_MS);
    const mb = residentMb(pid);
    if (mb === undefined || Math.abs(mb - last) < 0.005 * mb || performance.now() > giveUpAt) return mb;
    last = mb;
  }
}
