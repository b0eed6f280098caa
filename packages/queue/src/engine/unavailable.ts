import { SpillwayError } from '@spillway/contracts';
import type { Redis } from 'ioredis';

/** What ioredis and Redis say when a command cannot be carried out now but may be later. */
const PASSING = [
  'MaxRetriesPerRequestError',
  'Connection is closed',
  "Stream isn't writeable",
  'Command timed out',
  'ECONNREFUSED',
  'ECONNRESET',
  'LOADING',
  'READONLY',
  'CLUSTERDOWN',
  'MASTERDOWN',
];

/**
 * Runs a command against Redis and turns trouble that passes into `unavailable`.
 * @throws SpillwayError `unavailable` at once while there is no connection: a caller is told in time instead of waiting for one.
 */
export async function withRedis<T>(redis: Redis, command: () => Promise<T>): Promise<T> {
  if (redis.status !== 'ready')
    throw new SpillwayError('unavailable', `expected a connection to Redis, got status ${redis.status}`);
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof SpillwayError) throw error;
    if (!isPassing(error)) throw error;
    throw new SpillwayError('unavailable', 'Redis did not answer', { cause: error });
  }
}

/** Whether an error only says that Redis is away, which the connection itself reports, once an outage. */
export function isPassing({ name, message }: Error): boolean {
  return PASSING.some((sign) => name.includes(sign) || message.includes(sign));
}

/** Passes on what the connection does not report by itself. */
export function reportOthers(onError: (error: Error) => void): (error: Error) => void {
  return (error) => {
    if (!isPassing(error)) onError(error);
  };
}
