import {
  type ClientToServer,
  type OpsTarget,
  type ServerToOperator,
  type SetWatchResult,
  setRoom,
} from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';
import type { Logger } from '@spillway/runtime';
import type { DefaultEventsMap, Socket } from 'socket.io';
import { OverviewWatch } from './overview.ts';
import type { Ops, SocketData } from './server.ts';
import type { Sets } from './sets.ts';
import { readOpsTargets, targetsOrNone } from './targets.ts';
import { assertFew, toJobError } from './watch.ts';
import { watchSet } from './watch-set.ts';

interface Setup {
  reader: Reader;
  registry: Registry;
  sets: Sets;
  logger: Logger;
}

type OpsSocket = Socket<ClientToServer, ServerToOperator, DefaultEventsMap, SocketData>;

/** Serves operators: queues and tenants as sets, and an overview to everybody who is connected. */
export function serveOps(ops: Ops, setup: Setup): void {
  const { reader, registry, logger } = setup;
  const overview = new OverviewWatch({
    reader,
    registry,
    isHeard: () => ops.sockets.size > 0,
    tell: (latest) => ops.emit('overview', latest),
    onError: (err) => logger.warn({ err }, 'the overview could not be read'),
  });
  ops.on('connection', (socket) => {
    serveWatches(socket, setup);
    const latest = overview.join();
    if (latest) socket.emit('overview', latest);
  });
}

function serveWatches(socket: OpsSocket, { sets, logger }: Setup): void {
  const watched = new Map<string, () => void>();
  const watch = async (target: OpsTarget): Promise<SetWatchResult> => {
    try {
      return await watchSet(socket, watched, target, sets);
    } catch (error) {
      unwatch(target);
      return { ...target, error: toJobError(error, logger) };
    }
  };
  const unwatch = (target: OpsTarget) => {
    const room = setRoom(target);
    watched.get(room)?.();
    watched.delete(room);
    void socket.leave(room);
  };
  const watchAll = async (request: unknown) => {
    const targets = readOpsTargets(request);
    assertFew(watched, targets.map(setRoom));
    return Promise.all(targets.map(watch));
  };
  socket.on('watch', (request, ack) => {
    if (typeof ack !== 'function') return;
    watchAll(request)
      .then((results) => ack({ results }))
      .catch((error: unknown) => ack({ error: toJobError(error, logger) }));
  });
  socket.on('unwatch', (request, ack) => {
    for (const target of targetsOrNone(() => readOpsTargets(request))) unwatch(target);
    if (typeof ack === 'function') ack({ ok: true });
  });
  socket.on('disconnect', () => {
    for (const release of watched.values()) release();
    watched.clear();
  });
}
