import type { Duplex } from 'node:stream';

/** Why a connection is refused before its handshake, and when it is worth another try. */
export interface Refusal {
  reason: 'draining' | 'full' | 'busy';
  retryAfterS: number;
}

/**
 * Connections that may be between their handshake and the answer to their first watch. Measured at 1 to 2 ms of CPU each,
 * almost all of it system calls, they are served within 4 s: before a client gives up waiting (10 s) or a ping is late.
 */
const ARRIVING_MAX = 2000;
/** One that says nothing for so long makes room for others; it may stay. */
const ARRIVING_MS = 5000;

/** The connections of this process, from the first byte of their handshake to the last. */
export interface Connections {
  readonly size: number;
  /** Why a new one would be refused now. */
  refusal(): Refusal | undefined;
  /** Counts a connection until it closes. */
  add(line: Duplex): void;
  /** The connection has got what it came for. Calling twice is harmless. */
  arrived(line: Duplex): void;
  /** Refuses all new ones from now on. */
  drain(): void;
  /** Resolves when none is left, or after `ms`. */
  gone(ms: number): Promise<void>;
  /** Cuts all that are left. */
  cutOff(): void;
}

export function createConnections({ most }: { most: number }): Connections {
  const open = new Set<Duplex>();
  const arriving = new Map<Duplex, NodeJS.Timeout>();
  let draining = false;
  let onGone: () => void = () => undefined;

  function arrived(line: Duplex): void {
    clearTimeout(arriving.get(line));
    arriving.delete(line);
  }

  return {
    get size() {
      return open.size;
    },
    refusal() {
      if (draining) return { reason: 'draining', retryAfterS: 1 };
      if (open.size >= most) return { reason: 'full', retryAfterS: 5 };
      return arriving.size >= ARRIVING_MAX ? { reason: 'busy', retryAfterS: 1 } : undefined;
    },
    add(line) {
      open.add(line);
      arriving.set(
        line,
        setTimeout(() => arriving.delete(line), ARRIVING_MS),
      );
      line.once('close', () => {
        open.delete(line);
        arrived(line);
        if (open.size === 0) onGone();
      });
    },
    arrived,
    drain() {
      draining = true;
    },
    gone(ms) {
      if (open.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        onGone = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    cutOff() {
      for (const line of open) line.destroy();
    },
  };
}
