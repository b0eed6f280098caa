import { setTimeout as sleep } from 'node:timers/promises';
import type { Connections } from './connections.ts';
import type { LiveNamespace } from './live-socket.ts';

/** Clients that are sent away in one second: the other processes take twice as many handshakes without being late. */
const MOVES_PER_S = 500;
/** Even a few clients move apart: their pages are often opened by the same person on the same machine. */
const SPREAD_MIN_MS = 1000;
/** Part of the patience in which all should have begun to move; the rest is for the last to arrive. */
const SPREAD_SHARE = 0.8;
/** What a client gets to answer the end of its connection. */
const GOODBYE_MS = 250;

/** Over how long `connections` are sent away when there are `stopMs` for it. Pure. */
export function spreadMs(connections: number, stopMs: number): number {
  return Math.min(Math.max(SPREAD_MIN_MS, (connections / MOVES_PER_S) * 1000), stopMs * SPREAD_SHARE);
}

/**
 * Sends every client to another process, each at its own time, and resolves when all have left or `stopMs` have passed.
 * Until then they are served as before.
 */
export async function sendAway(
  namespaces: readonly LiveNamespace[],
  { connections, stopMs }: { connections: Connections; stopMs: number },
): Promise<void> {
  connections.drain();
  const spread = spreadMs(connections.size, stopMs);
  for (const { sockets } of namespaces) {
    for (const socket of sockets.values()) socket.emit('drain', { afterMs: Math.round(Math.random() * spread) });
  }
  await connections.gone(stopMs);
}

/** Ends what is left: politely, and a moment later in any case. Clients take it for a lost line and connect again. */
export async function endAll(closePolitely: () => void, connections: Connections): Promise<void> {
  closePolitely();
  await connections.gone(GOODBYE_MS);
  connections.cutOff();
  // A cut connection is gone in the next turn, and nothing else keeps the process.
  await sleep(0);
}
