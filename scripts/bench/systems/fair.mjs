// Systems for the fairness of a queue: the same jobs, served in the order in which they came, and in turns.
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { queueView } from '../queue-view.mjs';
import { openCast } from './cast.mjs';
import { spillway } from './spillway.mjs';

const WORKER = fileURLToPath(new URL('../pausing-worker.mjs', import.meta.url));
const JOBS = fileURLToPath(new URL('../jobs/pause.mjs', import.meta.url));

/** BullMQ alone: one line for all. */
export const firstCome = {
  name: 'plain BullMQ',
  redisSettings: 'stock',
  create(stage, redis, { concurrency }) {
    const cast = openCast(stage, redis);
    const queue = new Queue('jobs', { connection: { url: redis.url } });
    return {
      parts: cast.parts,
      queue: queueView(redis, 'bull:jobs'),
      jobKey: (id) => `bull:jobs:${id}`,
      startWorker: () => cast.start('worker', WORKER, { REDIS_URL: redis.url, CONCURRENCY: String(concurrency) }),
      put: (groups) => queue.addBulk(groups.map((group) => ({ name: 'pause', data: { group } }))),
      close: () => queue.close(),
    };
  },
};

/** Spillway, each job in the group that its input names. */
export const inTurns = {
  ...spillway,
  create(stage, redis, context) {
    const system = spillway.create(stage, redis, { ...context, jobs: JOBS });
    return {
      ...system,
      jobKey: (id) => `spillway:{demo}:${id}`,
      put: (groups) =>
        submitAll(
          system,
          groups.map((group) => ({ type: 'bench.pause', input: { group }, options: { group } })),
        ),
    };
  },
};

/** What a group costs: the same no-op jobs without one, and in ten. */
export const withoutGroups = bulk('spillway', () => ({}));
export const inTenGroups = bulk('spillway, ten groups', (n) => ({ options: { group: `group ${n % 10}` } }));

function bulk(name, optionsOf) {
  return {
    ...spillway,
    name,
    create(stage, redis, context) {
      const system = spillway.create(stage, redis, context);
      return {
        ...system,
        async fill(count) {
          for (let put = 0; put < count; put += CHUNK)
            await submitAll(
              system,
              Array.from({ length: Math.min(CHUNK, count - put) }, (_, n) => ({ type: 'demo.noop', ...optionsOf(n) })),
            );
        },
      };
    },
  };
}

/** Jobs in one request, the most that it may bring. */
const CHUNK = 1_000;

async function submitAll(system, jobs) {
  const { url, method, headers } = system.submitBulk('noop', 1);
  const reply = await fetch(url, { method, headers, body: JSON.stringify(jobs) });
  const { accepted } = await reply.json();
  if (accepted !== jobs.length) throw new Error(`Expected ${jobs.length} jobs to be accepted, but got ${accepted}.`);
}
