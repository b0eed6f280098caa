import type { ClientToServer, JobEvent, ServerToClient, WatchReply, WatchTarget } from '@spillway/contracts';
import { io, type Socket } from 'socket.io-client';

/** A bare connection, as a foreign client would have it: no folding, everything that arrives is kept. */
export interface Watcher extends AsyncDisposable {
  readonly socket: Socket<ServerToClient, ClientToServer>;
  readonly events: JobEvent[];
  watch(...targets: (string | WatchTarget)[]): Promise<WatchReply>;
}

/** Resolves once connected; rejects with the server's refusal. */
export async function connect(url: string, options: { token?: string; origin?: string } = {}): Promise<Watcher> {
  const { token, origin } = options;
  const socket: Watcher['socket'] = io(`${url}/jobs`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth: { token },
    ...(origin && { extraHeaders: { origin } }),
  });
  const events: JobEvent[] = [];
  socket.on('events', (frame) => events.push(...frame));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  }).catch((error) => {
    socket.close();
    throw error;
  });
  return {
    socket,
    events,
    watch: (...targets) =>
      socket.emitWithAck('watch', {
        targets: targets.map((target) => (typeof target === 'string' ? { job: target } : target)),
      }),
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}
