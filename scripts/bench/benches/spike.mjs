import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from '../load.mjs';
import { dataBytes } from '../queue-view.mjs';
import { percentile } from '../statistics.mjs';
import { naive } from '../systems/naive.mjs';
import { spillway } from '../systems/spillway.mjs';

const CONNECTIONS = 50;
const BULK = { jobs: 100, connections: 10 };
/** Between two calls of somebody who looks meanwhile. */
const LOOK_MS = 10;
const MEMORY_MS = 100;
const ROOM_TIMEOUT_MS = 60_000;

/** The same Spillway, whose queue takes no more than a fifth of the burst. */
const limited = {
  ...spillway,
  name: 'spillway, limited',
  create: (...setup) => ({ ...spillway.create(...setup), isLimited: true }),
};

export const spike = {
  name: 'spike',
  scenarios({ quick }) {
    const jobs = quick ? 10_000 : 100_000;
    return [
      scenario('spike', jobs, { title: `one job per request, ${CONNECTIONS} connections` }),
      scenario('spike-bulk', jobs, {
        title: `${BULK.jobs} jobs per request, ${BULK.connections} connections`,
        isBulk: true,
      }),
    ];
  },
};

function scenario(id, jobs, { title, isBulk = false }) {
  const depth = jobs / 5;
  return {
    id,
    title: `Spike: ${jobs.toLocaleString('en')} submits, ${title}, no worker running; a depth of ${depth.toLocaleString('en')} in the last column`,
    systems: [naive, spillway, limited],
    targets: [],
    rows: [
      { key: 'getIdle', title: 'read a job, p99 at rest, ms', digits: 1 },
      { key: 'getBurst', title: 'read a job, p99 in the burst, ms', digits: 1 },
      { key: 'listIdle', title: 'list queues, p99 at rest, ms', digits: 1 },
      { key: 'listBurst', title: 'list queues, p99 in the burst, ms', digits: 1 },
      { key: 'peak', title: 'data in Redis at the peak, MB', digits: 1 },
      { key: 'seconds', title: 'length of the burst, s', digits: 1 },
      { key: 'waiting', title: 'jobs taken', digits: 0 },
      { key: 'refused', title: 'jobs refused', digits: 0, ratio: false },
      { key: 'told', title: 'Retry-After of the last one, s', digits: 0, ratio: false },
      { key: 'took', title: 'room after a worker came, s', digits: 2, ratio: false },
    ],
    measure: (context) => measure(context, { jobs, depth, isBulk }),
  };
}

async function measure({ stage, redis, system }, { jobs, depth, isBulk }) {
  await system.startServer();
  await system.prepare();
  const { id } = await (await send(system.submit('noop'))).json();
  if (system.limit) await system.limit(system.isLimited ? { depth: { max: depth } } : {});
  const load = await startLoad(stage, 'http');
  const idle = await whileLooking(system.looks(id), () => sleep(5_000));
  const empty = await dataBytes(redis);
  const memory = watchMemory(redis);
  const request = isBulk ? system.submitBulk('noop', BULK.jobs) : system.submit('noop');
  const plan = isBulk
    ? { connections: BULK.connections, amount: jobs / BULK.jobs }
    : { connections: CONNECTIONS, amount: jobs };
  const burst = await whileLooking(system.looks(id), () => load.run({ ...request, ...plan }));
  const waiting = await system.queue.waiting();
  return {
    getIdle: percentile(idle.get, 0.99),
    getBurst: percentile(burst.get, 0.99),
    listIdle: percentile(idle.list, 0.99),
    listBurst: percentile(burst.list, 0.99),
    peak: ((await memory.stop()) - empty) / 1e6,
    seconds: burst.result.elapsedMs / 1000,
    waiting,
    refused: jobs + 1 - waiting,
    ...(system.isLimited && (await room(system))),
  };
}

/** Calls one after the other while something goes on. Returns what that gave, and the calls' times by name. */
async function whileLooking(looks, work) {
  const times = { get: [], list: [] };
  let isOver = false;
  const look = async (name) => {
    while (!isOver && looks[name]) {
      const startedAt = performance.now();
      await (await send(looks[name])).arrayBuffer();
      times[name].push(performance.now() - startedAt);
      await sleep(LOOK_MS);
    }
  };
  const looking = [look('get'), look('list')];
  const result = await work();
  isOver = true;
  await Promise.all(looking);
  return { ...times, result };
}

function watchMemory(redis) {
  let peak = 0;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await dataBytes(redis));
  }, MEMORY_MS);
  return {
    async stop() {
      clearInterval(timer);
      return Math.max(peak, await dataBytes(redis));
    },
  };
}

/** What a refused caller is told, and how long it really takes until there is room once a worker has come. */
async function room(system) {
  const refused = await send(system.submit('noop'));
  await refused.arrayBuffer();
  const told = Number(refused.headers.get('retry-after') ?? Number.NaN);
  await system.startWorker();
  const startedAt = performance.now();
  for (;;) {
    const reply = await send(system.submit('noop'));
    await reply.arrayBuffer();
    const took = (performance.now() - startedAt) / 1000;
    if (reply.ok) return { told, took };
    if (took * 1000 > ROOM_TIMEOUT_MS)
      throw new Error(`Expected room within ${ROOM_TIMEOUT_MS} ms, but there was none.`);
    await sleep(LOOK_MS);
  }
}

function send({ url, ...request }) {
  return fetch(url, request);
}
