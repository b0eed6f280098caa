import type { Progress } from '@spillway/contracts';
import type { ReportBatch } from './messages.ts';

/**
 * What a handler says leaves at once, because it may compute on without an await, or crash, and then nothing else would
 * send it. One that floods its worker has its reports put together for the rest of a window.
 */
const WINDOW_MS = 20;
const AT_ONCE_IN_WINDOW = 20;

/** Sends what a handler says, in order. */
export interface Outbox {
  progress(value: Progress): void;
  line(text: string): void;
  chunk(json: string): void;
  /** Sends at once what waits. */
  flush(): void;
}

export function createOutbox(send: (batch: ReportBatch) => void): Outbox {
  let batch: ReportBatch | undefined;
  let windowFrom = 0;
  let sentInWindow = 0;

  function flush(): void {
    const full = batch;
    batch = undefined;
    if (full) send(full);
  }

  function add(put: (batch: ReportBatch) => void): void {
    const now = performance.now();
    const isNewWindow = now - windowFrom >= WINDOW_MS;
    if (isNewWindow) {
      windowFrom = now;
      sentInWindow = 0;
    }
    if (!batch) {
      batch = { lines: [], chunks: [] };
      if (sentInWindow >= AT_ONCE_IN_WINDOW) setImmediate(flush);
    }
    put(batch);
    sentInWindow += 1;
    if (isNewWindow || sentInWindow <= AT_ONCE_IN_WINDOW) flush();
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
