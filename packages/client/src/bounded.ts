import type { WatchedJob } from '@spillway/contracts';

/** Lines, and chunks, that a watch holds where nothing else is said: more than a page shows, less than a day can write. */
export const LINES_MAX = 5_000;

/** The job with the newest `most` lines and chunks only; `first` tells the numbers of the oldest that are left. Pure. */
export function bounded(held: WatchedJob, most: number): WatchedJob {
  if (held.log.length <= most && held.output.length <= most) return held;
  const log = held.log.slice(-most);
  const output = held.output.slice(-most);
  return {
    ...held,
    log,
    output,
    first: { log: log[0]?.n ?? held.cursor.log, output: output[0]?.n ?? held.cursor.output },
  };
}
