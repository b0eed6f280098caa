// What a watcher says to each system and how it reads what comes. A watcher holds `job`, `seen` (different events that it has
// got), `ended`, and whatever its dialect keeps beside them. The counter hears of each event.

const FINAL = new Set(['completed', 'failed', 'cancelled']);

export const bareDialects = {
  /** Rooms only: what was sent while the watcher was not in the room is gone. */
  naive: {
    prefix: '',
    hello: () => '',
    watch: ({ job }) => ['subscribe', job],
    answered() {},
    event(watcher, [name, { at }], counter) {
      if (name === 'progress') {
        watcher.seen += 1;
        counter.news(at);
      } else if (name === 'completed') watcher.ended = true;
    },
  },

  /** Snapshots from a cursor, and numbered lines after them: a watcher that misses one asks again, as the real client does. */
  spillway: {
    prefix: '/jobs,',
    hello: ({ token }) => JSON.stringify({ token }),
    watch(watcher) {
      watcher.early = [];
      return ['watch', { targets: [{ job: watcher.job, ...(watcher.cursor && { after: watcher.cursor }) }] }];
    },
    /** Returns a problem, if the answer is one. */
    answered(watcher, [{ results, error }], counter, ask) {
      const problem = error ?? results[0].error;
      if (problem) return problem;
      const { snapshot } = results[0];
      const next = watcher.cursor?.log ?? 0;
      const missed = snapshot.log.filter(({ n }) => n >= next).length;
      watcher.seen += missed;
      counter.catchUp(missed);
      watcher.cursor = snapshot.cursor;
      watcher.ended ||= FINAL.has(snapshot.job.state);
      const { early } = watcher;
      watcher.early = undefined;
      takeEvents(watcher, early, counter, ask);
    },
    event(watcher, [name, argument], counter, ask) {
      if (name === 'resync') ask();
      if (name !== 'events') return;
      // Events before the snapshot say nothing yet: what they build on is still to come.
      if (watcher.early) watcher.early.push(...argument);
      else takeEvents(watcher, argument, counter, ask);
    },
  },
};

function takeEvents(watcher, events, counter, ask) {
  for (const { pos, at, state, log = [] } of events) {
    for (const { n } of log) {
      if (n > watcher.cursor.log) return ask();
      if (n < watcher.cursor.log) continue;
      watcher.cursor.log += 1;
      watcher.seen += 1;
      counter.news(at);
    }
    watcher.cursor.pos = pos;
    if (FINAL.has(state)) watcher.ended = true;
  }
}
