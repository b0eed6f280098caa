import type { ClientToServer, JobError, ServerToClient } from '@spillway/contracts';
import { Manager, type Socket } from 'socket.io-client';
import { refusal } from './api-error.ts';
import type { CreateTransport, TransportListener } from './transport.ts';

/** A watch that got no answer in this time is asked for again. */
const ACK_TIMEOUT_MS = 10_000;
/** First and longest pause between attempts to connect; jitter keeps many browsers from coming back in step. */
const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 5_000;
/** Those sent away come back spread over this time: they were all sent away at once. */
const REDIAL_SPREAD_MS = 2_000;

type LiveSocket = Socket<ServerToClient, ClientToServer>;

/** Socket.IO over WebSocket only, so that no sticky sessions are needed. `baseUrl` may have a path in front of `/socket.io/`. */
export function socketTransport(options: { baseUrl: string; key: string | undefined }): CreateTransport {
  return (listener) => {
    const { origin, pathname } = new URL(options.baseUrl);
    const manager = new Manager(origin, {
      path: `${pathname.replace(/\/$/, '')}/socket.io/`,
      transports: ['websocket'],
      autoConnect: false,
      reconnectionDelay: RECONNECT_MIN_MS,
      reconnectionDelayMax: RECONNECT_MAX_MS,
    });
    const socket: LiveSocket = manager.socket('/jobs', { auth: options.key ? { token: options.key } : {} });
    const redial = dialAgainWhenSentAway(socket, listener);
    forward(socket, listener);
    return {
      open: () => void socket.connect(),
      close() {
        redial.cancel();
        socket.off();
        socket.disconnect();
      },
      watch: (targets) => socket.timeout(ACK_TIMEOUT_MS).emitWithAck('watch', { targets }),
      unwatch(jobs) {
        if (socket.connected) socket.emit('unwatch', { targets: jobs.map((job) => ({ job })) });
      },
    };
  };
}

function forward(socket: LiveSocket, listener: TransportListener): void {
  socket.on('connect', () => listener.up());
  socket.on('disconnect', () => listener.down());
  socket.on('events', (events) => listener.events(events));
  socket.on('resync', ({ targets }) =>
    listener.resync(targets.flatMap((target) => ('job' in target ? target.job : []))),
  );
}

/**
 * The manager reconnects by itself after a lost line, but not after the server said no in the handshake or closed the
 * connection on purpose. Only a refusal that lasts is final; a server on its way out is dialled again.
 */
function dialAgainWhenSentAway(socket: LiveSocket, listener: TransportListener): { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const redialSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.connect(), RECONNECT_MIN_MS + Math.random() * REDIAL_SPREAD_MS);
  };
  socket.on('disconnect', () => {
    if (!socket.active) redialSoon();
  });
  socket.on('connect_error', (error: Error & { data?: JobError }) => {
    listener.down();
    if (socket.active) return;
    const refused = error.data?.code ? refusal(error.data) : undefined;
    if (!refused || refused.retryable) return redialSoon();
    listener.refused(refused);
  });
  return { cancel: () => clearTimeout(timer) };
}
