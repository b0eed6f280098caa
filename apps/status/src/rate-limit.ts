import { cutOff, type LiveConnection } from './live-socket.ts';
import type { LiveMetrics } from './metrics.ts';

/** A client that watches, unwatches and commands as fast as a person can needs a tenth of this. */
export const MESSAGES_PER_S = 50;
/** A page that watches 200 jobs one by one when it opens is clumsy, not hostile. */
const BURST = 200;

/** Messages that one connection may still send. */
export interface TokenBucket {
  /** Takes one, also where none is left; returns how many are left, below zero for a debt. */
  take(nowMs: number): number;
  /** How long it takes to pay off the debt; 0 where there is none. */
  debtMs(): number;
}

/** Full at first. */
export function createBucket(perSecond: number, burst: number, nowMs: number): TokenBucket {
  let tokens = burst;
  let at = nowMs;
  return {
    take(now) {
      tokens = Math.min(burst, tokens + (Math.max(0, now - at) * perSecond) / 1000) - 1;
      at = now;
      return tokens;
    },
    debtMs: () => Math.ceil((Math.max(0, -tokens) * 1000) / perSecond),
  };
}

const buckets = new WeakMap<LiveConnection, TokenBucket>();

/**
 * Counts whatever a connection sends, also what is no message of ours: a packet of any kind costs. Beyond the limit
 * messages are refused (`overLimit`), and a connection that goes on regardless is cut.
 */
export function limitRate(connection: LiveConnection, metrics: Pick<LiveMetrics, 'rateLimited'>): void {
  const bucket = createBucket(MESSAGES_PER_S, BURST, Date.now());
  buckets.set(connection, bucket);
  connection.on('packet', () => {
    if (bucket.take(Date.now()) > -BURST) return;
    metrics.rateLimited.inc();
    cutOff(connection);
  });
}

/** How long the connection must wait before its next message is heard; 0 while it keeps to its limit. */
export function overLimitMs(connection: LiveConnection): number {
  return buckets.get(connection)?.debtMs() ?? 0;
}
