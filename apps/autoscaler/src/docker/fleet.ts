import type { Logger } from '@spillway/runtime';
import type { Fleet } from '../autoscaler.ts';
import { cloneOf } from './clone.ts';
import type { Container } from './containers.ts';
import type { Engine } from './engine.ts';

/**
 * The containers of a compose service as a fleet. More of them are started at once; fewer means that the newest are told to
 * stop, hand back what they run and are removed when they have ended, which nobody waits for. Until then they keep their
 * numbers, of which there are `max`.
 */
export function createFleet({ engine, max, logger }: { engine: Engine; max: number; logger: Logger }): Fleet {
  const stopping = new Set<string>();

  async function look() {
    const all = await engine.list();
    const present = all.filter(({ id }) => !stopping.has(id));
    return {
      all,
      running: present.filter(({ isRunning }) => isRunning),
      ended: present.filter((one) => !one.isRunning),
    };
  }

  /** What has been stopped by hand, or was created and never started, comes before new ones, as compose does it. */
  async function grow(count: number, all: Container[], ended: Container[]): Promise<void> {
    for (const { id, number } of ended.slice(0, count)) {
      await engine.start(id);
      logger.info({ number }, 'worker started again');
    }
    const [model] = all;
    if (!model)
      throw new Error('expected a container of the service to clone, got none (docker compose up starts one)');
    for (const number of freeNumbers(all, max).slice(0, Math.max(0, count - ended.length))) {
      const id = await engine.create(cloneOf(await engine.inspect(model.id), number));
      await engine.start(id);
      logger.info({ number }, 'worker started');
    }
  }

  async function end({ id, number }: Container): Promise<void> {
    stopping.add(id);
    try {
      await engine.stop(id);
      await engine.remove(id);
      logger.info({ number }, 'worker stopped and removed');
    } catch (err) {
      logger.warn({ err, number }, 'a worker could not be stopped and removed');
    } finally {
      stopping.delete(id);
    }
  }

  return {
    count: async () => (await look()).running.length,
    async scale(workers) {
      const { all, running, ended } = await look();
      if (workers > running.length) return grow(workers - running.length, all, ended);
      for (const container of running.slice(workers)) void end(container);
    },
  };
}

/** Numbers from 1 to `max` that no container has. Pure. */
function freeNumbers(all: readonly Container[], max: number): number[] {
  const taken = new Set(all.map(({ number }) => number));
  return Array.from({ length: max }, (_, index) => index + 1).filter((number) => !taken.has(number));
}
