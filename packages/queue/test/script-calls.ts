import type { Redis } from '../src/connection.ts';

type Arguments = (string | number)[];

/**
 * Keeps the arguments of every script that is run over this connection from now on; the scripts run as before. One that
 * Redis does not know is sent a second time, whole, which is the same run.
 */
export function argumentsOf(redis: Redis): Arguments[] {
  const calls: Arguments[] = [];
  const run = redis.evalsha.bind(redis) as (sha: string, keys: number, ...rest: Arguments) => Promise<unknown>;
  Object.assign(redis, {
    evalsha(sha: string, keys: number, ...rest: Arguments) {
      calls.push(rest.slice(keys));
      return run(sha, keys, ...rest);
    },
  });
  return calls;
}
