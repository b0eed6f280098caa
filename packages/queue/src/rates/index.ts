import type { Redis } from '@spillway/bullmq';
import { withRedis } from '../engine/unavailable.ts';
import { createRegistry } from '../registry/index.ts';
import { type Crew, crewOf, drainPerSecond } from './capacity.ts';
import { type Line, readLine } from './line.ts';

export { type Crew, crewOf, drainPerSecond } from './capacity.ts';
export type { Line } from './line.ts';
export type { MeasuredRates } from './measure.ts';
export { toScaling } from './scaling.ts';

/** What queues were measured to do. Nothing here changes anything. All calls fail with `unavailable` while Redis is away. */
export interface Rates {
  /** The line as it is now, and who works on it as of a second ago. */
  read(queue: string): Promise<{ line: Line; crew: Crew }>;
  /**
   * Jobs a second that the queue gets through while it has some, as of a second ago: cheap to ask again and again.
   * Undefined where nothing was measured yet; 0 where nobody takes jobs.
   */
  drainPerSecond(queue: string): Promise<number | undefined>;
}

/** Workers say every 5 s what they are, and counts are added every second: nothing is newer than that. */
const FRESH_MS = 1000;

export function createRates(setup: { redis: Redis; prefix: string; now?: () => number }): Rates {
  const { redis, prefix, now = Date.now } = setup;
  const registry = createRegistry(setup);
  const workers = remembered(() => registry.workers(), now);
  const drains = new Map<string, () => Promise<number | undefined>>();

  async function read(queue: string): Promise<{ line: Line; crew: Crew }> {
    const [line, alive] = await Promise.all([withRedis(redis, () => readLine(redis, prefix, queue)), workers()]);
    return { line, crew: crewOf(queue, alive) };
  }

  function drainOf(queue: string): () => Promise<number | undefined> {
    const known = drains.get(queue);
    if (known) return known;
    const drain = remembered(async () => {
      const { line, crew } = await read(queue);
      return drainPerSecond(line, crew);
    }, now);
    drains.set(queue, drain);
    return drain;
  }

  return { read, drainPerSecond: (queue) => drainOf(queue)() };
}

/** Asks at most once a second; who asks meanwhile shares the answer. One that failed is asked again. */
export function remembered<T>(ask: () => Promise<T>, now: () => number): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let askedAt = 0;
  return () => {
    if (answer && now() - askedAt < FRESH_MS) return answer;
    askedAt = now();
    const asked = ask();
    answer = asked;
    asked.catch(() => {
      if (answer === asked) answer = undefined;
    });
    return asked;
  };
}
