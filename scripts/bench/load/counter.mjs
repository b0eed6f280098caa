// Counts what the watchers of one load process get.

/** The stream's time stamps are whole milliseconds, so finer steps would tell nothing; what takes longer counts as the last. */
const LONGEST_MS = 60_000;

export function createCounter() {
  const delays = new Uint32Array(LONGEST_MS + 1);
  const counter = {
    frames: 0,
    events: 0,
    caughtUp: 0,
    newsAt: 0,
    /** An event came live; `at` is the time that Redis gave it. */
    news(at) {
      counter.events += 1;
      counter.newsAt = Date.now();
      delays[Math.min(LONGEST_MS, Math.max(0, counter.newsAt - at))] += 1;
    },
    /** So many events were in a snapshot instead. */
    catchUp(count) {
      counter.caughtUp += count;
      if (count > 0) counter.newsAt = Date.now();
    },
    reset() {
      counter.frames = 0;
      counter.events = 0;
      counter.caughtUp = 0;
      delays.fill(0);
    },
    read: () => ({
      frames: counter.frames,
      events: counter.events,
      caughtUp: counter.caughtUp,
      p50Ms: delayAt(delays, 0.5 * counter.events),
      p99Ms: delayAt(delays, 0.99 * counter.events),
    }),
  };
  return counter;
}

/** The delay that so many of the events had at most; undefined where there were none. */
function delayAt(delays, rank) {
  let sum = 0;
  const found = delays.findIndex((count) => {
    sum += count;
    return sum > 0 && sum >= rank;
  });
  return found < 0 ? undefined : found;
}
