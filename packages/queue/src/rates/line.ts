import type { Redis } from '@spillway/bullmq';
import { queueKeys } from '../engine/keys.ts';
import { pairs } from '../engine/snapshot.ts';
import { lineScript } from './line-script.ts';
import { type MeasuredRates, measure } from './measure.ts';

/** A queue's line as it is now, and what was measured of it. */
export interface Line {
  /** By the clock of Redis. */
  nowMs: number;
  /** Jobs that may start at once, those with a priority included. */
  backlog: number;
  active: number;
  paused: boolean;
  /** Jobs of the queue that may run at once, in all workers together. */
  concurrency?: number;
  /** Starts in a window of time; `startsLeft` may still come in the present one, which ends in `restMs`. */
  rate?: { max: number; perMs: number; startsLeft: number; restMs: number };
  /** How long the job has waited that is the next to start. */
  oldestWaitMs?: number;
  rates: MeasuredRates;
}

type Head = (string | null)[];
type Reply = [
  nowMs: number,
  waiting: number,
  prioritized: number,
  active: number,
  limits: (string | null)[],
  starts: number,
  restMs: number,
  head: Head,
  firstPrioritized: Head,
  rates: string[],
];

/** Reads a queue's line in one step. */
export async function readLine(redis: Redis, prefix: string, queue: string): Promise<Line> {
  const { base, wait, prioritized, active, meta, limiter, rates } = queueKeys(prefix, queue);
  return toLine((await lineScript(redis, [wait, prioritized, active, meta, limiter, rates], [base])) as Reply);
}

function toLine([nowMs, waiting, prioritized, active, limits, starts, restMs, first, second, rates]: Reply): Line {
  const [paused, concurrency, max, duration] = limits;
  const since = [waitsSince(first), waitsSince(second)].filter((ms) => ms !== undefined);
  return {
    nowMs,
    backlog: waiting + prioritized,
    active,
    paused: paused !== null,
    ...(concurrency && { concurrency: Number(concurrency) }),
    ...(max && { rate: toRate(Number(max), Number(duration), starts, restMs) }),
    ...(since.length > 0 && { oldestWaitMs: Math.max(0, nowMs - Math.min(...since)) }),
    rates: measure(pairs(rates), Math.floor(nowMs / 1000)),
  };
}

function toRate(max: number, perMs: number, starts: number, restMs: number): Line['rate'] {
  return { max, perMs, startsLeft: restMs > 0 ? Math.max(0, max - starts) : max, restMs: Math.max(0, restMs) };
}

/** Since when a job may start: it came, became due, was retried; of one that ran before, since that run began. */
function waitsSince([timestamp, opts, processedOn, retriedAt]: Head): number | undefined {
  if (!timestamp) return undefined;
  const { delay = 0 } = JSON.parse(opts ?? '{}') as { delay?: number };
  return Math.max(Number(timestamp) + delay, Number(processedOn ?? 0), Number(retriedAt ?? 0));
}
