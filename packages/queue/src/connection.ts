import { Redis, type RedisOptions } from '@spillway/bullmq';
import { settledWithin } from './engine/settled-within.ts';

/** What a connection is for decides how it behaves when Redis is away. */
export type ConnectionRole = 'command' | 'worker' | 'feed';

/** Longest pause between two attempts to reconnect: a Redis that is back should be noticed within a second. */
const RETRY_MAX_MS = 1000;

const OPTIONS: Record<ConnectionRole, Omit<RedisOptions, 'replyMapping'>> = {
  // A caller waits for the answer, and is told within a second that there is none (engine/silence.ts); commandTimeout only
  // stands behind that, for what has no caller, and is long enough for a Redis that is slow and alive. The outcome of a
  // command that was given up is unknown, which is harmless because job ids are ours and a repeat finds the job that is
  // there. A connection that says nothing for two seconds is replaced: Redis may be well, and the connection dead.
  command: { maxRetriesPerRequest: 1, commandTimeout: 5000, connectTimeout: 2000, socketTimeout: 2000 },
  // A worker has nothing better to do than to wait. The engine demands `null` for its blocking reads; socketTimeout ends
  // a half-open connection, and must exceed the engine's longest blocking read of 10 s.
  worker: { maxRetriesPerRequest: null, socketTimeout: 15_000 },
  // The feed blocks for at most a third of this a read, so silence means a dead connection: 2 s, which costs an idle process
  // one small read and one look in that time, and lets a page whose feed died without a word see the end 6 s later. A read that was lost with its
  // connection must not be sent again on the next one: it would block there before the feed can look what it missed.
  feed: { maxRetriesPerRequest: null, socketTimeout: 6000, autoResendUnfulfilledCommands: false },
};

/**
 * Opens a connection that reconnects by itself, every second at the latest, for ever. Returns at once, connected or not;
 * errors are reported through `onError` and never thrown. `name` shows in CLIENT LIST.
 */
export function connectRedis(url: string, role: ConnectionRole, name: string, onError: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    ...OPTIONS[role],
    connectionName: `spillway:${name}:${role}`,
    retryStrategy: (attempt) => Math.min(attempt * 50, RETRY_MAX_MS),
  });
  // One report an outage: a connection that retries every second would say the same for as long as it lasts.
  let reported = false;
  redis.on('ready', () => {
    reported = false;
  });
  redis.on('error', (error) => {
    if (!reported) onError(error);
    reported = true;
  });
  return redis;
}

/**
 * A check whether Redis answers on a connection, for whoever tells the world: at most one question is under way, so asking
 * again and again while Redis is away piles nothing up. It rejects at once without a connection; it does not time out.
 */
export function redisCheck(redis: Redis): () => Promise<void> {
  let asking: Promise<unknown> | undefined;
  return async () => {
    if (redis.status !== 'ready') throw new Error(`expected a connection to Redis, got status ${redis.status}`);
    asking ??= redis.ping().finally(() => {
      asking = undefined;
    });
    await asking;
  };
}

/** A Redis that hangs says no goodbye. */
const QUIT_MS = 500;

/** Closes a connection, politely while Redis answers and at once when it does not. Closing twice is harmless. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') await settledWithin(redis.quit(), QUIT_MS);
  redis.disconnect();
}

export type { Redis } from '@spillway/bullmq';
export { settledWithin } from './engine/settled-within.ts';
export { checkServer } from './server-check.ts';
