import {
  applyEvent,
  applySnapshot,
  type ClientToServer,
  type JobEvent,
  leavesHole,
  type ServerToClient,
  type WatchedJob,
  type WatchReply,
  type WatchTarget,
} from '@spillway/contracts';
import { io, type Socket } from 'socket.io-client';

/** A bare connection, as a foreign client would have it: no folding, everything that arrives is kept. */
export interface Watcher extends AsyncDisposable {
  readonly socket: Socket<ServerToClient, ClientToServer>;
  readonly events: JobEvent[];
  watch(...targets: (string | WatchTarget)[]): Promise<WatchReply>;
  /** Sends anything as a message and resolves with its answer. */
  ask(name: string, ...args: unknown[]): Promise<Record<string, unknown>>;
  /** The WebSocket itself, below Engine.IO. */
  readonly line: Line;
}

/** What tests do to a WebSocket of Node's `ws`. */
export interface Line {
  send(text: string): void;
  /** Stops reading from TCP. */
  pause(): void;
  resume(): void;
  once(event: 'close', listener: (code: number) => void): void;
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
  await connected(socket);
  return {
    socket,
    events,
    watch: (...targets) =>
      socket.emitWithAck('watch', {
        targets: targets.map((target) => (typeof target === 'string' ? { job: target } : target)),
      }),
    ask: (name, ...args) =>
      (socket as { emitWithAck(name: string, ...args: unknown[]): Promise<Record<string, unknown>> }).emitWithAck(
        name,
        ...args,
      ),
    line: (socket.io.engine.transport as unknown as { ws: Line }).ws,
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

/** One job as a client holds it, watched again with its cursor on every resync. */
export interface Follower {
  held(): WatchedJob | undefined;
  /** Why it was told to watch again. */
  readonly resyncs: string[];
}

/** Follows a job as docs/live-protocol.md tells a client to. Resolves with the first snapshot in hand. */
export async function follow(watcher: Watcher, job: string): Promise<Follower> {
  let held: WatchedJob | undefined;
  /** Events that came while an answer was due. */
  let early: JobEvent[] | undefined;
  const resyncs: string[] = [];

  function take(event: JobEvent): void {
    if (early || !held) early?.push(event);
    else if (leavesHole(held, event)) throw new Error(`a hole before ${JSON.stringify(event).slice(0, 200)}`);
    else held = applyEvent(held, event);
  }
  async function look(): Promise<void> {
    early = [];
    const reply = await watcher.watch(held ? { job, after: held.cursor } : job);
    const result = 'results' in reply ? reply.results[0] : undefined;
    if (!result || !('snapshot' in result)) throw new Error(`expected a snapshot, got ${JSON.stringify(reply)}`);
    held = applySnapshot(held, result.snapshot);
    const late = early;
    early = undefined;
    for (const event of late) take(event);
  }
  watcher.socket.on('events', (frame) => frame.forEach(take));
  watcher.socket.on('resync', ({ why }) => {
    resyncs.push(why);
    void look();
  });
  await look();
  return { held: () => held, resyncs };
}

/** Resolves once connected; closes and rejects with the server's refusal. */
export async function connected(socket: Pick<Socket, 'once' | 'close'>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  }).catch((error) => {
    socket.close();
    throw error;
  });
}
