import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { handOver } from '../../start/hand-over.mjs';
import { payload } from '../payload.mjs';
import { queueView } from '../queue-view.mjs';
import { openCast } from './cast.mjs';

const KEY = 'spillway_benchmark_key_0123456789abcdef';
const TYPES_TIMEOUT_MS = 15_000;
const TYPES = { noop: 'demo.noop', steps: 'demo.steps' };
const INPUTS = { noop: payload, steps: { steps: 1, stepMs: 50 } };

/** Spillway as `npm start` has it: api, status and one worker, API keys on, the log at its shipped level. */
export const spillway = {
  name: 'spillway',
  redisSettings: 'shipped',
  create: createSpillway,
};

/** The same without a parent of api and status: api forwards what live connections say, as it has to between containers. */
export const spillwayApart = {
  ...spillway,
  name: 'spillway, forwarded',
  create: (stage, redis, options) => createSpillway(stage, redis, { ...options, areApart: true }),
};

/** `jobs` is a module of further types, `types` the one that stands for each kind of job. */
function createSpillway(stage, redis, { concurrency, jobs, types = TYPES, areApart = false }) {
  const env = {
    REDIS_URL: redis.url,
    SPILLWAY_PORT: '0',
    SPILLWAY_STATUS_PORT: '0',
    SPILLWAY_KEYS: `bench:admin:${createHash('sha256').update(KEY).digest('hex')}`,
    SPILLWAY_FILES: join(stage.dir, 'files'),
    WORKER_CONCURRENCY: String(concurrency),
    ...(jobs && { SPILLWAY_JOBS: jobs }),
  };
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` };
  const cast = openCast(stage, redis);
  let statusEnv = env;
  const system = {
    parts: cast.parts,
    readyMs: cast.readyMs,
    queue: queueView(redis, 'spillway:{demo}'),
    async startServer({ livePort = 0 } = {}) {
      statusEnv = { ...env, SPILLWAY_STATUS_PORT: String(livePort) };
      await cast.start('status', program('status'), statusEnv);
      await cast.start('api', program('api'), { ...env, SPILLWAY_STATUS_URL: cast.url('status') });
      if (!areApart) handOver(cast.child('api'), () => cast.child('status'));
    },
    stopServer: () => cast.stop('api', 'status'),
    startWorker: ({ jobs = concurrency } = {}) =>
      cast.start('worker', program('worker'), { ...env, WORKER_CONCURRENCY: String(jobs) }),
    stopWorker: () => cast.stop('worker'),
    /** Types become known through a worker that has them: one starts, is seen by api, and goes. */
    async prepare() {
      await system.startWorker();
      for (const type of Object.values(types)) await knowsType(cast.url('api'), type, headers);
      await system.stopWorker();
    },
    /** Status reads a queue's events only while somebody watches one of its jobs; here somebody does. */
    async attend() {
      const body = JSON.stringify({ type: 'demo.noop', input: payload, options: { delayMs: 3_600_000 } });
      const reply = await fetch(`${cast.url('api')}/v1/jobs`, { method: 'POST', headers, body });
      if (reply.status !== 202) throw new Error(`Expected 202 for a delayed job, but got ${reply.status}.`);
      const { id } = await reply.json();
      const { url, options } = system.live().socket;
      // It ends with the server, and does not look for another.
      const socket = io(url, { transports: ['websocket'], reconnection: false, ...options });
      const { results } = await socket.timeout(5_000).emitWithAck('watch', { targets: [{ job: id }] });
      if (!results?.[0]?.snapshot) throw new Error(`Expected to watch ${id}, but got ${JSON.stringify(results)}.`);
    },
    submit: (type, input = INPUTS[type], { minimal = false } = {}) => ({
      url: `${cast.url('api')}/v1/jobs`,
      method: 'POST',
      headers: minimal ? { ...headers, prefer: 'return=minimal' } : headers,
      body: bodyOf(types[type], input),
    }),
    submitBulk: (type, jobs) => ({
      url: `${cast.url('api')}/v1/batches`,
      method: 'POST',
      headers,
      body: `[${Array(jobs).fill(bodyOf(types[type], INPUTS[type])).join(',')}]`,
    }),
    /** What others ask for meanwhile. */
    looks: (id) => ({
      get: { url: `${cast.url('api')}/v1/jobs/${id}`, headers },
      list: { url: `${cast.url('api')}/v1/queues`, headers },
    }),
    async limit(limits) {
      const url = `${cast.url('api')}/v1/queues/demo/limits`;
      const reply = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(limits) });
      if (!reply.ok) throw new Error(`Expected limits to be set, but got ${reply.status}: ${await reply.text()}`);
    },
    /** Through api's address, as everybody does it. */
    live: () => ({
      dialect: 'spillway',
      socket: { url: `${cast.url('api')}/jobs`, options: { auth: { token: KEY } } },
    }),
    livePart: 'status',
    liveEndpoint: () => ({
      dialect: 'spillway',
      host: '127.0.0.1',
      port: Number(new URL(cast.url('status')).port),
      token: KEY,
    }),
    crashLive: () => cast.crash('status', program('status'), statusEnv),
    stream: { dialect: 'spillway', base: 'spillway:{demo}:', kept: 20_000 },
  };
  return system;
}

function bodyOf(type, input) {
  return JSON.stringify({ type, input });
}

function program(app) {
  const file = fileURLToPath(new URL(`../../../apps/${app}/dist/main.js`, import.meta.url));
  if (existsSync(file)) return file;
  throw new Error(`Expected the built ${app} at ${file}, but it is not there. Run: npm run build`);
}

async function knowsType(apiUrl, type, headers) {
  const giveUpAt = performance.now() + TYPES_TIMEOUT_MS;
  for (;;) {
    const reply = await fetch(`${apiUrl}/v1/types/${type}`, { headers });
    const text = await reply.text();
    if (reply.ok) return;
    if (performance.now() > giveUpAt)
      throw new Error(`Expected api to know ${type}, but it says ${reply.status}: ${text}`);
    await sleep(50);
  }
}
