import type { Redis } from '@spillway/bullmq';
import type { JobType, WorkerInfo } from '@spillway/contracts';
import { registryKeys } from '../engine/keys.ts';
import { TYPE_MAX } from '../engine/limits.ts';
import { withRedis } from '../engine/unavailable.ts';

/** How long a worker counts as alive after its last beat; three beats of 5 s. By the clock of Redis, so clocks may differ. */
const ALIVE_MS = 15_000;

/** Job types that can be submitted and workers that are alive. Workers write it; everybody reads it. */
export interface Registry {
  /**
   * Publishes types; a type that is there already is replaced, so the last worker to start decides.
   * @throws RangeError for a type of more than 65,536 characters of JSON; then none is published
   */
  publish(types: readonly JobType[]): Promise<void>;
  types(): Promise<JobType[]>;
  /** Says that a worker lives; to be repeated every 5 s. */
  beat(worker: Omit<WorkerInfo, 'seenAt'>): Promise<void>;
  /** A worker that stops takes itself off the list. */
  leave(workerId: string): Promise<void>;
  workers(): Promise<WorkerInfo[]>;
}

export const BEAT_MS = 5000;

export function createRegistry({ redis, prefix }: { redis: Redis; prefix: string }): Registry {
  const keys = registryKeys(prefix);
  return {
    async publish(types) {
      if (types.length === 0) return;
      await redis.hset(keys.types, Object.fromEntries(types.map((type) => [type.type, encodeType(type)])));
    },
    types: () =>
      withRedis(redis, async () => {
        const stored = await redis.hvals(keys.types);
        return stored.map((text) => JSON.parse(text) as JobType).sort((a, b) => (a.type < b.type ? -1 : 1));
      }),
    async beat(worker) {
      const seen: WorkerInfo = { ...worker, seenAt: new Date().toISOString() };
      await redis
        .multi()
        .set(keys.worker(worker.id), JSON.stringify(seen), 'PX', ALIVE_MS)
        .sadd(keys.workers, worker.id)
        .exec();
    },
    async leave(workerId) {
      await redis.multi().del(keys.worker(workerId)).srem(keys.workers, workerId).exec();
    },
    workers: () => withRedis(redis, () => readWorkers(redis, keys)),
  };
}

function encodeType(type: JobType): string {
  const text = JSON.stringify(type);
  if (text.length <= TYPE_MAX) return text;
  throw new RangeError(
    `${type.type}: expected schemas, examples and description of at most ${TYPE_MAX} characters of JSON together, got ${text.length}`,
  );
}

async function readWorkers(redis: Redis, keys: ReturnType<typeof registryKeys>): Promise<WorkerInfo[]> {
  const ids = (await redis.smembers(keys.workers)).sort();
  if (ids.length === 0) return [];
  const stored = await redis.mget(ids.map(keys.worker));
  // A worker that was killed leaves its id behind; whoever looks tidies up.
  const gone = ids.filter((_, index) => !stored[index]);
  if (gone.length > 0) await redis.srem(keys.workers, ...gone);
  return stored.flatMap((text) => (text ? [JSON.parse(text) as WorkerInfo] : []));
}
