import type { Redis } from 'ioredis';
import { queueKeys } from '../engine/keys.ts';
import { pairs } from '../engine/snapshot.ts';
import { readLine as readLineScript } from './line-script.ts';
import { type MeasuredRates, measure } from './measure.ts';

/** A queue's line at one position of its event stream. */
export interface Line {
  pos: string;
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

/** Where a job waits: in the line behind `ahead` others, or for its time, with `ahead` others due before it. */
export interface Place {
  type: string;
  ahead: number;
  /** Milliseconds since the epoch; of a delayed job. */
  dueAt?: number;
}

type Head = (string | null)[];
type Reply = [
  pos: string,
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
  places: ([place: string, ahead: number, type: string] | null)[],
];

/** Reads a queue's line, and where jobs stand in it (in their order; undefined where one does not wait), in one step. */
export async function readLine(
  redis: Redis,
  prefix: string,
  queue: string,
  ids: readonly string[] = [],
): Promise<{ line: Line; places: (Place | undefined)[] }> {
  const { base, wait, prioritized, delayed, active, meta, limiter, rates, events, blocked } = queueKeys(prefix, queue);
  const keys = [wait, prioritized, delayed, active, meta, limiter, rates, events, blocked];
  const reply = (await readLineScript(redis, keys, [base, ...ids])) as Reply;
  return { line: toLine(reply), places: reply[11].map((found) => (found ? toPlace(found) : undefined)) };
}

function toLine([pos, nowMs, waiting, prioritized, active, limits, starts, restMs, first, second, rates]: Reply): Line {
  const [paused, concurrency, max, duration] = limits;
  const since = [waitsSince(first), waitsSince(second)].filter((ms) => ms !== undefined);
  return {
    pos,
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

/** The engine scores a delayed job by its due time in milliseconds times 4096, plus a counter. */
function toPlace([place, ahead, type]: [string, number, string]): Place {
  return { type, ahead, ...(place !== 'waiting' && { dueAt: Math.floor(Number(place) / 4096) }) };
}
