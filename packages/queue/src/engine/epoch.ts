import { type Redis, ReplyError } from '@spillway/bullmq';

/** Characters of Redis' run id that are enough to tell its lives apart: 48 bits, in a cursor that travels with every event. */
const EPOCH_CHARS = 12;

/** The epoch of each connection as it stands now; a new one is asked for on every reconnect. */
const epochs = new WeakMap<Redis, { current: Promise<string | undefined> | undefined }>();

/**
 * Names the life of Redis' data that this connection stands in: it changes with every restart and failover, after which
 * stream positions and numbers may be given out a second time. Undefined where Redis does not tell (INFO is forbidden).
 *
 * Ask right after a reply, before anything else is awaited: a connection never outlives its server, so what it says then
 * belongs to the server that replied. Ask before as well where the question depended on it, and repeat it when they differ.
 * @throws Error when the connection is lost before it knows.
 */
export function epochOf(redis: Redis): Promise<string | undefined> {
  const known = epochs.get(redis) ?? follow(redis);
  known.current ??= ask(redis, () => {
    known.current = undefined;
  });
  return known.current;
}

function follow(redis: Redis) {
  const known = { current: undefined };
  epochs.set(redis, known);
  redis.on('connect', () => {
    known.current = undefined;
    // Nobody may be waiting for it; who is will hear of the failure too.
    epochOf(redis).catch(() => undefined);
  });
  return known;
}

/** A question that was lost with its connection would be put again on the next one: such an answer names another life. */
function ask(redis: Redis, failed: () => void): Promise<string | undefined> {
  return new Promise<string | undefined>((resolve, reject) => {
    const lost = () => fail(new Error('Connection is closed'));
    const fail = (error: Error) => {
      redis.off('close', lost);
      failed();
      reject(error);
    };
    redis.once('close', lost);
    redis.info('server').then(
      (info) => {
        redis.off('close', lost);
        resolve(/^run_id:([0-9a-f]+)/m.exec(info)?.[1]?.slice(0, EPOCH_CHARS));
      },
      (error: Error) => {
        if (!(error instanceof ReplyError)) return fail(error);
        redis.off('close', lost);
        resolve(undefined);
      },
    );
  });
}
