import type { Progress } from '@spillway/contracts';
import type { ReportBatch } from './messages.ts';

/** How long reports wait for company while the handler does not let go of the event loop. */
const BATCH_MS = 20;

/** Collects what a handler says in one go, so that a message is not sent for every line of a busy loop. */
export interface Outbox {
  progress(value: Progress): void;
  line(text: string): void;
  chunk(json: string): void;
  /** Sends at once what waits. */
  flush(): void;
}

export function createOutbox(send: (batch: ReportBatch) => void): Outbox {
  let batch: ReportBatch | undefined;
  let openedAt = 0;

  function flush(): void {
    const full = batch;
    batch = undefined;
    if (full) send(full);
  }

  function add(put: (batch: ReportBatch) => void): void {
    if (!batch) {
      batch = { lines: [], chunks: [] };
      openedAt = performance.now();
      setImmediate(flush);
    }
    put(batch);
    // A handler that computes without an await never lets the immediate run, and is watched all the same.
    if (performance.now() - openedAt >= BATCH_MS) flush();
  }

  return {
    progress: (value) =>
      add((open) => {
        open.progress = value;
      }),
    line: (text) => add((open) => open.lines.push(text)),
    chunk: (json) => add((open) => open.chunks.push(json)),
    flush,
  };
}
