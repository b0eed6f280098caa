import type { Redis } from '@spillway/bullmq';
import { SpillwayError } from '@spillway/contracts';
import { silenceOf } from './silence.ts';

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
  'Command aborted due to connection close',
  'Socket timeout',
];

/**
 * Runs a command against Redis and turns trouble that passes into `unavailable`, within a second: also where Redis hangs, or
 * the connection has died without a word. What a command that was sent before that has done is then not known.
 * @throws SpillwayError `unavailable` at once while there is no connection, or Redis is known not to answer on it: a caller
 * is told in time instead of waiting, and nothing was done.
 */
export async function withRedis<T>(redis: Redis, command: () => Promise<T>): Promise<T> {
  if (redis.status !== 'ready')
    throw new SpillwayError(
      'unavailable',
      `expected a connection to Redis, got status ${redis.status}; ${NOTHING_DONE}`,
    );
  const silence = silenceOf(redis);
  if (silence.isSilent)
    throw new SpillwayError('unavailable', `expected Redis to answer, and it says nothing; ${NOTHING_DONE}`);
  let giveUp: () => void = () => undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      giveUp = () => reject(new SpillwayError('unavailable', `Redis did not answer in time; ${NOBODY_KNOWS}`));
      silence.wait(giveUp);
      command().then(resolve, reject);
    });
  } catch (error) {
    if (!(error instanceof Error) || error instanceof SpillwayError) throw error;
    if (!isPassing(error)) throw error;
    throw new SpillwayError('unavailable', `Redis did not answer; ${NOBODY_KNOWS}`, { cause: error });
  } finally {
    silence.done(giveUp);
  }
}

const NOTHING_DONE = 'nothing was done, try again';
/** Redis may have got it and not its answer through; or it gets it when it goes on. */
const NOBODY_KNOWS =
  'whether this was done is not known. Reading and controlling may be repeated; so may a submit with the same Idempotency-Key, which never makes a second job';

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
