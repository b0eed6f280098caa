import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { payload } from '../payload.mjs';
import { queueView } from '../queue-view.mjs';
import { openCast } from './cast.mjs';

const WORKER = fileURLToPath(new URL('../plain-worker.mjs', import.meta.url));
const CHUNK = 1_000;

/** BullMQ alone: the library puts jobs in, one bare worker takes them out. It has no server. */
export const plain = {
  name: 'plain BullMQ',
  redisSettings: 'stock',
  create(stage, redis, { concurrency }) {
    const env = { REDIS_URL: redis.url, CONCURRENCY: String(concurrency) };
    const cast = openCast(stage, redis);
    return {
      parts: cast.parts,
      queue: queueView(redis, 'bull:jobs'),
      startWorker: () => cast.start('worker', WORKER, env),
      async fill(count) {
        const queue = new Queue('jobs', { connection: { url: redis.url } });
        for (let added = 0; added < count; added += CHUNK) {
          const size = Math.min(CHUNK, count - added);
          await queue.addBulk(Array.from({ length: size }, () => ({ name: 'noop', data: payload })));
        }
        await queue.close();
      },
    };
  },
};
