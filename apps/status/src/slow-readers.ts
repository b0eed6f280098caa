import type { WatchTarget } from '@spillway/contracts';
import { bufferedBytes, cutOff, type LiveSocket, leave, outboxOf } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';

/** What may wait for one client: a second of a busy job on a poor line, and 20,000 slow ones still fit in 1.3 GB. */
const BUFFERED_MAX_BYTES = 65_536;
const BUFFERED_MAX_PACKETS = 64;
/** Beyond this even waiting is too dear. One frame gets here only where a job writes faster than any line. */
const CUT_OFF_BYTES = 1_048_576;
/** Longer than a tunnel or a lift; a client that needs more comes back as one that was away. */
const LAG_MAX_MS = 30_000;

/** How one connection keeps up. */
export interface Pace {
  /** The turn of the event loop in which it was looked at last. */
  lookedAt: number;
  /** Bytes that answers to its own questions left in the buffer: a large answer is not a fault of the client. */
  answered: number;
  lag?: Lag | undefined;
}

/** A connection that has been set aside. */
interface Lag {
  targets: Map<string, WatchTarget>;
  /** Resolves when the client has caught up or gone. */
  over: Promise<void>;
}

/**
 * Keeps clients that read too slowly from costing memory, and from disturbing others: such a client leaves its rooms,
 * nothing more is queued for it, and once it has read all that was, it is told to watch again with its cursors. That is
 * what a reconnect does too. Connections are looked at when something is sent to them, never in between.
 */
export interface SlowReaders {
  /** To be called before a frame goes to its room: one that cannot keep up leaves the room. */
  look(socket: LiveSocket): void;
  /** Resolves when more may be queued for it, or when it has gone. Answers wait for this, so that they stay bounded too. */
  room(socket: LiveSocket): Promise<void>;
  /** Queues an answer; its size is not held against the client. */
  answer(socket: LiveSocket, send: () => void): void;
}

export function createPace(): Pace {
  return { lookedAt: 0, answered: 0 };
}

export function createSlowReaders(metrics: Pick<LiveMetrics, 'slowReaders' | 'resyncs'>): SlowReaders {
  let turn = 1;
  let turning = false;

  /** Frames of one turn are handed over together, so what they queue is no sign of slowness before the turn is over. */
  function currentTurn(): number {
    if (!turning) {
      turning = true;
      turn += 1;
      setImmediate(() => {
        turning = false;
      });
    }
    return turn;
  }

  function check(socket: LiveSocket): void {
    const { pace } = socket.data;
    const { writeBuffer } = outboxOf(socket.conn);
    const bytes = bufferedBytes(socket.conn);
    if (bytes === 0) pace.answered = 0;
    if (bytes <= BUFFERED_MAX_BYTES && writeBuffer.length <= BUFFERED_MAX_PACKETS) return;
    if (bytes > CUT_OFF_BYTES + pace.answered) {
      metrics.slowReaders.inc({ outcome: 'disconnected' });
      cutOff(socket.conn);
      return;
    }
    pace.lag ??= beginLag(socket, metrics);
    for (const [room, { target }] of socket.data.watched) {
      pace.lag.targets.set(room, target);
      leave(socket, room);
    }
  }

  return {
    look(socket) {
      const now = currentTurn();
      if (socket.data.pace.lookedAt === now) return;
      socket.data.pace.lookedAt = now;
      check(socket);
    },
    async room(socket) {
      check(socket);
      await socket.data.pace.lag?.over;
    },
    answer(socket, send) {
      const before = bufferedBytes(socket.conn);
      send();
      socket.data.pace.answered += bufferedBytes(socket.conn) - before;
    },
  };
}

function beginLag(socket: LiveSocket, metrics: Pick<LiveMetrics, 'slowReaders' | 'resyncs'>): Lag {
  const { transport } = outboxOf(socket.conn);
  const targets: Lag['targets'] = new Map();
  metrics.slowReaders.inc({ outcome: 'set_aside' });
  const over = new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      transport.off('drain', onDrain);
      socket.off('disconnect', end);
      socket.data.pace.lag = undefined;
      resolve();
    };
    const onDrain = () => {
      // What was written is with the client; more may have been queued behind it meanwhile.
      if (outboxOf(socket.conn).writeBuffer.length > 0) return;
      end();
      metrics.slowReaders.inc({ outcome: 'caught_up' });
      if (targets.size === 0) return;
      metrics.resyncs.inc({ reason: 'slow' });
      socket.emit('resync', { targets: [...targets.values()], why: 'the client read too slowly' });
    };
    const timer = setTimeout(() => {
      metrics.slowReaders.inc({ outcome: 'disconnected' });
      cutOff(socket.conn);
    }, LAG_MAX_MS);
    transport.on('drain', onDrain);
    socket.once('disconnect', end);
  });
  return { targets, over };
}
