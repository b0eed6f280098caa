import type { JobEvent, OpsTarget, SetTarget } from '@spillway/contracts';
import type { LiveNamespace } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';
import type { SlowReaders } from './slow-readers.ts';

export interface RoomSetup {
  slowReaders: SlowReaders;
  metrics: LiveMetrics;
}

/** Sends one frame to everybody in a room who can keep up; the others leave it. `set` names the set that it is from. */
export function sendToRoom(
  namespace: LiveNamespace,
  room: string,
  { frame, set }: { frame: JobEvent[]; set?: SetTarget | OpsTarget },
  { slowReaders, metrics }: RoomSetup,
): void {
  const ids = namespace.adapter.rooms.get(room);
  if (!ids) return;
  for (const id of ids) {
    const socket = namespace.sockets.get(id);
    if (socket) slowReaders.look(socket);
  }
  // Those that cannot keep up have left; without anybody else there is nothing to encode.
  if (ids.size === 0) return;
  if (set) namespace.to(room).emit('events', frame, set);
  else namespace.to(room).emit('events', frame);
  metrics.frames.inc(ids.size);
  metrics.events.inc(ids.size * frame.length);
  metrics.delay.observe(Math.max(0, Date.now() - (frame[0]?.at ?? 0)) / 1000);
}
