import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Where a worker holds the other end of a pipe that nobody writes to. */
export const PARENT_FD = 4;

/**
 * Ends this process when its worker is gone, however that ended. A handler that computes without an await keeps the event
 * loop from hearing of it, so a thread listens: without one, such processes measured a core each until killed by hand.
 */
export function endWithParent(): void {
  const watch = new Worker(fileURLToPath(new URL('./orphan-watch.js', import.meta.url)), {
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
    execArgv: [],
  });
  watch.unref();
}
