import type { ClientToServer, JobError } from '@spillway/contracts';
import type { Logger } from '@spillway/runtime';
import type { LiveSocket } from './live-socket.ts';
import { toJobError } from './problem.ts';
import { MESSAGES_PER_S, overLimitMs } from './rate-limit.ts';
import type { SlowReaders } from './slow-readers.ts';

/** The messages that a client may send. */
const NAMES: readonly string[] = ['watch', 'unwatch', 'command', 'refresh'] satisfies (keyof ClientToServer)[];

/** Requests of one connection that may wait for their turn: as many as it may send at once. */
const WAITING_MAX = 200;

/** Answers one kind of message through its acknowledgement; what `handle` throws becomes `{ error }`. */
export type Serve = (name: keyof ClientToServer, handle: (request: unknown) => Promise<object> | object) => void;

/**
 * Requests of one connection are answered one after the other, so that an `unwatch` cannot overtake its `watch`, and each
 * only when the client has read what it was told before: whoever asks without reading costs no memory. A message without
 * acknowledgement is carried out and answered to nobody.
 */
export function serveRequests(
  socket: LiveSocket,
  { slowReaders, logger }: { slowReaders: SlowReaders; logger: Logger },
): Serve {
  let waiting = 0;
  let last = Promise.resolve();

  async function respond(handle: Parameters<Serve>[1], request: unknown, ack: Acknowledge): Promise<void> {
    await slowReaders.room(socket);
    waiting -= 1;
    if (!socket.connected) return;
    const reply = await attempt(handle, request, logger);
    slowReaders.answer(socket, () => ack(reply));
  }

  refuseOthers(socket);
  return (name, handle) => {
    socket.on(name, (...args: unknown[]) => {
      const ack = acknowledgementOf(args);
      if (waiting === WAITING_MAX) return ack(tooMany(1000));
      waiting += 1;
      const [request] = args;
      last = last
        .then(() => respond(handle, typeof request === 'function' ? undefined : request, ack))
        .catch((err: unknown) => logger.error({ err }, 'a live answer could not be sent'));
    });
  };
}

type Acknowledge = (reply: object) => void;

function acknowledgementOf(args: readonly unknown[]): Acknowledge {
  const last = args.at(-1);
  return typeof last === 'function' ? (last as Acknowledge) : () => undefined;
}

/** Messages beyond the rate limit and with names that mean nothing are answered before anybody looks at them. */
function refuseOthers(socket: LiveSocket): void {
  socket.use(([name, ...args], next) => {
    const waitMs = overLimitMs(socket.conn);
    if (waitMs > 0) return acknowledgementOf(args)(tooMany(waitMs));
    if (NAMES.includes(name)) return next();
    const message = `expected one of the messages ${NAMES.join(', ')}, got ${JSON.stringify(String(name).slice(0, 100))}`;
    acknowledgementOf(args)({ error: { code: 'invalid_request', message } satisfies JobError });
  });
}

async function attempt(handle: Parameters<Serve>[1], request: unknown, logger: Logger): Promise<object> {
  try {
    return await handle(request);
  } catch (error) {
    return { error: toJobError(error, logger) };
  }
}

function tooMany(retryAfterMs: number): { error: JobError & { retryAfterMs: number } } {
  const message = `expected at most ${MESSAGES_PER_S} messages a second, got more; wait ${retryAfterMs} ms`;
  return { error: { code: 'rate_limited', message, retryAfterMs } };
}
