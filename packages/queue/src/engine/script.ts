import { createHash } from 'node:crypto';
import type { Redis } from '@spillway/bullmq';

type Run = (redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown>;

/** A Lua script that Redis runs as one atomic step. */
export interface Script extends Run {
  /**
   * Sends the script itself instead of its hash: what the caller sends next on this connection cannot overtake it, as it
   * could overtake the second try of a hash that Redis does not know.
   */
  whole: Run;
}

/** Sends the script by its hash, and whole only where Redis does not hold it yet (first use, restart, failover). */
export function defineScript(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  const whole: Run = (redis, keys, args) => redis.eval(lua, keys.length, ...keys, ...args);
  const byHash: Run = async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return whole(redis, keys, args);
    }
  };
  return Object.assign(byHash, { whole });
}
