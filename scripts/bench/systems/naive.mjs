import { fileURLToPath } from 'node:url';
import { payload } from '../payload.mjs';
import { queueView } from '../queue-view.mjs';
import { openCast } from './cast.mjs';

const SERVER = fileURLToPath(new URL('../naive/server.mjs', import.meta.url));
const WORKER = fileURLToPath(new URL('../naive/worker.mjs', import.meta.url));
const DATA = { noop: payload, steps: { steps: 1, stepMs: 50 } };

/** The naive reference, started as its author would: one process for HTTP and sockets, one worker; loggers off. */
export const naive = { name: 'naive', redisSettings: 'stock', create: createNaive };

/** The same on the Redis that Spillway ships, to tell what the settings save from what the design does. */
export const naiveOnShippedRedis = {
  name: 'naive on our Redis settings',
  redisSettings: 'shipped',
  create: createNaive,
};

function createNaive(stage, redis, { concurrency }) {
  const env = { REDIS_URL: redis.url, PORT: '0', CONCURRENCY: String(concurrency) };
  const cast = openCast(stage, redis);
  let serverEnv = env;
  return {
    parts: cast.parts,
    readyMs: cast.readyMs,
    queue: queueView(redis, 'bull:jobs'),
    /** `livePort` is for the sockets, which here have no process of their own. */
    startServer({ livePort = 0 } = {}) {
      serverEnv = { ...env, PORT: String(livePort) };
      return cast.start('api', SERVER, serverEnv);
    },
    stopServer: () => cast.stop('api'),
    startWorker: ({ jobs = concurrency } = {}) => cast.start('worker', WORKER, { ...env, CONCURRENCY: String(jobs) }),
    stopWorker: () => cast.stop('worker'),
    /** Nothing to prepare: the queue is made by its first job. */
    async prepare() {},
    /** Nothing to do: QueueEvents reads all events whether anybody listens or not. */
    async attend() {},
    submit: (type, data = DATA[type]) => ({
      url: `${cast.url('api')}/jobs`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: bodyOf(type, data),
    }),
    submitBulk: (type, jobs) => ({
      url: `${cast.url('api')}/jobs/bulk`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `[${Array(jobs).fill(bodyOf(type, DATA[type])).join(',')}]`,
    }),
    /** What others ask for meanwhile; it has no list of queues. */
    looks: (id) => ({ get: { url: `${cast.url('api')}/jobs/${id}` } }),
    live: () => ({ dialect: 'naive', socket: { url: cast.url('api') } }),
    /** The process that holds the sockets. */
    livePart: 'api',
    liveEndpoint: () => ({ dialect: 'naive', host: '127.0.0.1', port: Number(new URL(cast.url('api')).port) }),
    crashLive: () => cast.crash('api', SERVER, serverEnv),
    stream: { dialect: 'naive', base: 'bull:jobs:', kept: 10_000 },
  };
}

function bodyOf(name, data) {
  return JSON.stringify({ name, data });
}
