import type { Redis } from '../src/connection.ts';
import { queueKeys } from '../src/engine/keys.ts';

/** Puts a job where the engine keeps those that wait for others. */
export async function block(redis: Redis, prefix: string, id: string): Promise<void> {
  const keys = queueKeys(prefix, 'work');
  await redis
    .multi()
    .lrem(keys.wait, 0, id)
    .zrem(keys.delayed, id)
    .hset(keys.job(id), 'delay', 0)
    .zadd(keys.blocked, Date.now(), id)
    .exec();
}

/** The lines that a job stands in. A job that is in none is lost; one that is in two runs twice. */
export async function standIn(redis: Redis, prefix: string, id: string): Promise<string[]> {
  const keys = queueKeys(prefix, 'work');
  const lists = await Promise.all(
    (['wait', 'active'] as const).map(async (name) => ((await redis.lpos(keys[name], id)) === null ? [] : [name])),
  );
  const sets = await Promise.all(
    (['prioritized', 'delayed', 'blocked', 'completed', 'failed'] as const).map(async (name) =>
      (await redis.zscore(keys[name], id)) === null ? [] : [name],
    ),
  );
  return [...lists.flat(), ...sets.flat()];
}
