import type { Redis } from '@spillway/bullmq';
import { Queue } from '@spillway/bullmq';
import { engineName } from './keys.ts';
import { EVENTS_KEPT } from './limits.ts';
import { reportOthers } from './unavailable.ts';

export type EngineQueue = Queue<unknown, unknown, string>;

/** One engine queue a name, opened on first use, all on one connection. */
export interface QueueHandles {
  get(queue: string): EngineQueue;
  /** Lets go of the queues; the connection belongs to the caller. */
  close(): Promise<void>;
}

export function openQueues(redis: Redis, prefix: string, onError: (error: Error) => void): QueueHandles {
  const open = new Map<string, EngineQueue>();
  return {
    get(queue) {
      const known = open.get(queue);
      if (known) return known;
      const opened: EngineQueue = new Queue(engineName(queue), {
        connection: redis,
        prefix,
        streams: { events: { maxLen: EVENTS_KEPT } },
      });
      opened.on('error', reportOthers(onError));
      open.set(queue, opened);
      return opened;
    },
    async close() {
      await Promise.all([...open.values()].map((queue) => queue.close()));
      open.clear();
    },
  };
}
