import type { Cursor, Snapshot } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { LiveMetrics } from './metrics.ts';

/**
 * Snapshots that are read at a time. More do not come any sooner, Redis answers one after the other; they would only stand
 * in its way, and this process's event loop would parse for seconds what all arrives at once.
 */
const READS_MAX = 64;

interface Waiting {
  start: () => void;
  answer: Promise<Snapshot>;
}

/**
 * A reader whose snapshots queue up behind a few that are read at a time, so that ten thousand clients that come back at
 * once leave Redis and this process responsive. A question that equals one which still waits shares its answer. One that
 * was sent already is never shared: it may have been answered before the second asker began to listen, and what happened
 * in between would be lost to it.
 */
export function queueSnapshots(reader: Reader, metrics: Pick<LiveMetrics, 'snapshots'>): Reader {
  const queue = new Map<string, Waiting>();
  let reading = 0;

  async function read(job: string, after?: Cursor): Promise<Snapshot> {
    reading += 1;
    try {
      return await reader.snapshot(job, after);
    } finally {
      reading -= 1;
      startNext();
    }
  }

  function startNext(): void {
    const next = queue.entries().next();
    if (next.done) return;
    const [key, { start }] = next.value;
    queue.delete(key);
    start();
  }

  function wait(job: string, after?: Cursor): Promise<Snapshot> {
    const key = JSON.stringify([job, after]);
    const same = queue.get(key);
    if (same) return same.answer;
    let start: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => {
      start = resolve;
    }).then(() => read(job, after));
    queue.set(key, { start, answer });
    return answer;
  }

  return {
    ...reader,
    async snapshot(job, after?: Cursor) {
      const stop = metrics.snapshots.startTimer();
      try {
        return await (reading < READS_MAX ? read(job, after) : wait(job, after));
      } finally {
        stop();
      }
    },
  };
}
