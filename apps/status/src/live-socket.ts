import type { ClientToServer, ServerToOperator, WatchTarget } from '@spillway/contracts';
import type { DefaultEventsMap, Namespace, Socket } from 'socket.io';
import type { Access } from './access.ts';
import type { Told } from './end-of-watch.ts';
import type { Pace } from './slow-readers.ts';

/** Something that a connection watches. */
export interface Watch {
  target: WatchTarget;
  /** Lets go of the feed. */
  release: () => void;
  /** Of a job. */
  told?: Told;
}

/** What a connection carries. */
interface LiveData {
  /** Set at the handshake. */
  access: Access;
  /** By room. */
  watched: Map<string, Watch>;
  pace: Pace;
}

/** `/jobs` or `/ops`; only the second sends what is for operators alone. */
export type LiveNamespace = Namespace<ClientToServer, ServerToOperator, DefaultEventsMap, LiveData>;
export type LiveSocket = Socket<ClientToServer, ServerToOperator, DefaultEventsMap, LiveData>;

/** A connection below its namespaces. */
export type LiveConnection = LiveSocket['conn'];

/** Begins a watch, by joining its room once what it needs is followed. Does nothing where it is watched already. */
export async function enter(
  socket: LiveSocket,
  room: string,
  target: WatchTarget,
  follow: () => Promise<() => void>,
): Promise<void> {
  const { watched } = socket.data;
  if (watched.has(room)) return;
  const release = await follow();
  // The connection may have gone, or the same been asked for twice, meanwhile.
  if (socket.disconnected || watched.has(room)) return release();
  watched.set(room, { target, release });
  await socket.join(room);
}

/** Ends a watch; harmless where there is none. */
export function leave(socket: LiveSocket, room: string): void {
  socket.data.watched.get(room)?.release();
  socket.data.watched.delete(room);
  void socket.leave(room);
}

/** The parts of an Engine.IO connection that it does not declare: what waits to be written, and the WebSocket itself. */
interface Outbox {
  readonly writeBuffer: readonly { data?: unknown }[];
  readonly transport: {
    readonly socket?: { readonly bufferedAmount: number; terminate(): void };
    on(event: 'drain', listener: () => void): void;
    off(event: 'drain', listener: () => void): void;
  };
}

export function outboxOf(connection: LiveConnection): Outbox {
  return connection as unknown as Outbox;
}

/** What the client has not read yet and this process holds. Texts count by their characters, which is near enough. */
export function bufferedBytes(connection: LiveConnection): number {
  const { writeBuffer, transport } = outboxOf(connection);
  let bytes = transport.socket?.bufferedAmount ?? 0;
  for (const { data } of writeBuffer) bytes += typeof data === 'string' ? data.length : 0;
  return bytes;
}

/**
 * Cuts the line at once and frees what was buffered. A polite goodbye would wait behind everything that the client does
 * not read. Clients take it for a lost line and connect again by themselves.
 */
export function cutOff(connection: LiveConnection): void {
  outboxOf(connection).transport.socket?.terminate();
}
