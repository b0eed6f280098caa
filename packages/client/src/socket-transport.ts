import type { ClientToServer, JobError, ServerToClient } from '@spillway/contracts';
import { Manager, type Socket } from 'socket.io-client';
import { refusal } from './api-error.ts';
import type { Credentials } from './credentials.ts';
import type { CreateLine, LineListener } from './transport.ts';

/** A request that got no answer in this time is asked again. */
const ACK_TIMEOUT_MS = 10_000;
/** An attempt to connect that takes longer has failed, e.g. at a proxy that swallows WebSockets. */
const CONNECT_TIMEOUT_MS = 8_000;
/** First and longest pause between attempts to connect; jitter keeps many browsers from coming back in step. */
const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 5_000;
/** Those sent away come back spread over this time: they were all sent away at once. */
const REDIAL_SPREAD_MS = 2_000;

type LiveSocket = Socket<ServerToClient, ClientToServer>;

/** Socket.IO over WebSocket only, so that no sticky sessions are needed. `baseUrl` may have a path in front of `/socket.io/`. */
export function socketTransport(options: { baseUrl: string; credentials: Credentials }): CreateLine {
  return (listener) => {
    const socket = socketOf(options);
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
      command: (command) => socket.timeout(ACK_TIMEOUT_MS).emitWithAck('command', command),
      refresh: (token) => socket.timeout(ACK_TIMEOUT_MS).emitWithAck('refresh', { token }),
      unwatch(targets, areOver) {
        if (socket.connected && !areOver) socket.emit('unwatch', { targets });
      },
    };
  };
}

function socketOf({ baseUrl, credentials }: { baseUrl: string; credentials: Credentials }): LiveSocket {
  const { origin, pathname } = new URL(baseUrl);
  const manager = new Manager(origin, {
    path: `${pathname.replace(/\/$/, '')}/socket.io/`,
    transports: ['websocket'],
    autoConnect: false,
    reconnectionDelay: RECONNECT_MIN_MS,
    reconnectionDelayMax: RECONNECT_MAX_MS,
    timeout: CONNECT_TIMEOUT_MS,
  });
  return manager.socket('/jobs', {
    auth: (show) => {
      const send = (token?: string) => show(token === undefined ? {} : { token });
      // Without a token the server refuses, and what follows a refusal is decided in one place.
      credentials.token().then(send, () => send());
    },
  });
}

function forward(socket: LiveSocket, listener: LineListener): void {
  socket.on('connect', () => listener.up('websocket'));
  socket.on('disconnect', () => listener.down('lost'));
  socket.on('events', (events, set) => listener.events(events, set));
  socket.on('aggregate', (batch) => listener.aggregate(batch));
  socket.on('resync', ({ targets }) => listener.resync(targets));
  socket.on('denied', ({ targets, error }) => listener.denied(targets, error));
  socket.on('drain', ({ afterMs }) => listener.drain(afterMs));
}

/**
 * The manager reconnects by itself after a lost line, but not after the server said no in the handshake or closed the
 * connection on purpose. Only a refusal that lasts is final; a server on its way out is dialled again.
 */
function dialAgainWhenSentAway(socket: LiveSocket, listener: LineListener): { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const redialSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.connect(), RECONNECT_MIN_MS + Math.random() * REDIAL_SPREAD_MS);
  };
  socket.on('disconnect', () => {
    if (!socket.active) redialSoon();
  });
  socket.on('connect_error', (error: Error & { data?: JobError }) => {
    if (socket.active) return listener.down('unreachable');
    listener.down('busy');
    const refused = error.data?.code ? refusal(error.data) : undefined;
    if (!refused || refused.retryable) return redialSoon();
    listener.refused(refused);
  });
  return { cancel: () => clearTimeout(timer) };
}
