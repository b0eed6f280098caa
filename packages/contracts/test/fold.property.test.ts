import {
  applyEvent,
  applySnapshot,
  type Cursor,
  comparePositions,
  HISTORY_KEPT,
  isFinal,
  JOB_STATES,
  type Job,
  type JobEvent,
  leavesHole,
  type Snapshot,
  type WatchedJob,
} from '@spillway/contracts';
import fc from 'fast-check';

const JOB: Job = {
  id: 'default.01JD2V9K8Q4W5X6Y7Z8A9B0C1D',
  type: 'demo.steps',
  queue: 'default',
  state: 'waiting',
  attempt: 0,
  attempts: 2,
  createdAt: '2026-01-02T03:04:00.000Z',
};

/** What happens to a job, before numbers and positions are given. */
const change = fc.oneof(
  fc.record({ kind: fc.constant('state' as const), state: fc.constantFrom(...JOB_STATES) }),
  fc.record({
    kind: fc.constant('state' as const),
    state: fc.constantFrom('active' as const, 'cancelled' as const),
    cancel: fc.record({ by: fc.constantFrom('ann', 'bob'), at: fc.constant(time(0)) }),
  }),
  fc.record({
    kind: fc.constant('report' as const),
    lines: fc.nat({ max: 3 }),
    chunks: fc.nat({ max: 2 }),
    fraction: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** What can go on between a server and a watcher. `pick` chooses among what is there. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('happen' as const), change }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deliver latest' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resync' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('answer' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('look at the line' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deliver a place' as const), pick: fc.nat() }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

type PlaceEvent = JobEvent & { kind: 'position' };

/** The true history of one job in one life of Redis, and the server that tells of it. */
class Server {
  readonly events: JobEvent[] = [];
  /** Where the job was seen to stand in line: read off the queue, at positions of the stream and between its entries. */
  readonly places: PlaceEvent[] = [];
  #life = 0;
  /** How many lines and chunks are kept for snapshots. */
  readonly #kept: number;

  constructor(kept: number) {
    this.#kept = kept;
  }

  get epoch(): string {
    return `e${this.#life}`;
  }

  happen(change: Change): void {
    const n = this.events.length;
    // Two share a millisecond, and numbers of digits differ, as in a real stream.
    const head = { job: JOB.id, pos: `${9 + (n >> 1)}-${n % 2}`, at: 1000 * n };
    this.events.push(
      change.kind === 'state'
        ? { ...head, ...change, ...ending(change.state, n) }
        : {
            ...head,
            kind: 'report',
            ...(change.fraction !== undefined && { progress: { fraction: change.fraction } }),
            ...(change.lines && { log: this.#numbered(this.logUpTo(n).length, change.lines, 'line') }),
            ...(change.chunks && { output: this.#numbered(this.outputUpTo(n).length, change.chunks, 'chunk') }),
          },
    );
  }

  lookAtLine(): void {
    if (truth(this.events).state !== 'waiting') return;
    const n = this.places.length;
    const position = { ahead: n % 3, reason: 'workers_busy' as const, at: time(n + 1) };
    const pos = this.events.at(-1)?.pos ?? '1-0';
    this.places.push({ job: JOB.id, pos, at: 1000 * (n + 1), kind: 'position', position });
  }

  /** Redis comes back with less, and gives what was lost out a second time, with other content. */
  restart(keep: number): void {
    this.events.length = Math.min(keep, this.events.length);
    this.#life += 1;
  }

  logUpTo(count: number) {
    return this.events.slice(0, count).flatMap((event) => (event.kind === 'report' ? (event.log ?? []) : []));
  }

  outputUpTo(count: number) {
    return this.events.slice(0, count).flatMap((event) => (event.kind === 'report' ? (event.output ?? []) : []));
  }

  snapshot(count: number, after?: Cursor): Snapshot {
    const [log, output] = [this.logUpTo(count), this.outputUpTo(count)];
    const { epoch } = this;
    const from = after?.epoch === epoch ? after : { log: 0, output: 0 };
    return {
      job: truth(this.events.slice(0, count)),
      cursor: { pos: this.events[count - 1]?.pos ?? '1-0', log: log.length, output: output.length, epoch },
      log: log.slice(-this.#kept).filter(({ n }) => n >= from.log),
      output: output.slice(-this.#kept).filter(({ n }) => n >= from.output),
    };
  }

  #numbered<K extends 'line' | 'chunk'>(from: number, count: number, as: K) {
    return Array.from({ length: count }, (_, index) => {
      const text = `${as} ${from + index} of life ${this.#life}`;
      return { n: from + index, [as]: text } as { n: number } & Record<K, string>;
    });
  }
}

function ending(state: Job['state'], n: number) {
  if (state === 'completed') return { result: n };
  if (state === 'failed' || state === 'cancelled') return { error: { code: state, message: `${n}` } };
  return state === 'delayed' ? { runAt: time(n) } : {};
}

/** The job as its history says, by looking back and not by folding. */
function truth(events: readonly JobEvent[]): Job {
  const told = events.flatMap((event) => (event.kind === 'state' ? [event] : []));
  // Of a job that runs, that it is being cancelled; no change of its state.
  const states = told.filter((event) => !(event.state === 'active' && event.cancel));
  const retried = states.findLastIndex(({ state }, n) => !isFinal(state) && isFinal(states[n - 1]?.state ?? 'waiting'));
  const cancel = told.slice(told.indexOf(states[retried]!) + 1).findLast((event) => event.cancel)?.cancel;
  const last = states.at(-1);
  const started = states.filter(({ state }) => state === 'active');
  const history = attemptsEndedIn(states);
  const progress = events.flatMap((event) => (event.kind === 'report' && event.progress ? [event.progress] : []));
  return {
    ...JOB,
    attempt: started.length,
    attempts: attemptsAfter(states),
    ...(history.length > 0 && { history }),
    ...(last && { state: last.state }),
    ...(last && isFinal(last.state) && { finishedAt: time(last.at / 1000) }),
    ...(last?.result !== undefined && { result: last.result }),
    ...(last?.error && { error: last.error }),
    ...(cancel && { cancel }),
    ...(last?.runAt && { runAt: last.runAt }),
    ...(started.length > 0 && { startedAt: time((started.at(-1)?.at ?? 0) / 1000) }),
    ...(progress.length > 0 && { progress: progress.at(-1) }),
  };
}

type StateEvent = JobEvent & { kind: 'state' };

/** What runs and then waits was not the job's fault, and costs it no attempt. */
function attemptsAfter(states: readonly StateEvent[]): number {
  let [attempts, started, before] = [JOB.attempts, 0, 'waiting'];
  for (const { state } of states) {
    if (state === 'active') attempts = Math.max(attempts, ++started);
    else if (state === 'waiting' && before === 'active') attempts += 1;
    before = state;
  }
  return attempts;
}

function attemptsEndedIn(states: readonly StateEvent[]) {
  const ended = states.flatMap(({ state, error, at }, index) => {
    const before = states[index - 1];
    if (before?.state !== 'active' || !error || !isFinal(state)) return [];
    const attempt = states.slice(0, index).filter((earlier) => earlier.state === 'active').length;
    return [{ attempt, startedAt: time(before.at / 1000), endedAt: time(at / 1000), error }];
  });
  return ended.slice(-HISTORY_KEPT);
}

function time(seconds: number): string {
  return new Date(1000 * seconds).toISOString();
}

/** The rules by which the client drives the fold: what comes before an answer waits for it, and a hole is a question. */
class Watcher {
  held: WatchedJob | undefined;
  #early: JobEvent[] | undefined;
  #asked: { after: Cursor | undefined; at: number } | undefined;

  ask(now: number): void {
    this.#early = [];
    this.#asked = { after: this.held?.cursor, at: now };
  }

  hear(event: JobEvent, now: number): void {
    if (this.#early || !this.held) this.#early?.push(event);
    else if (leavesHole(this.held, event)) this.ask(now);
    else this.held = applyEvent(this.held, event);
  }

  /** The server looks at some moment after the question was put. */
  answer(server: Server, pick: number): void {
    const now = server.events.length;
    if (!this.#asked) return;
    const { after, at } = this.#asked;
    const early = this.#early ?? [];
    this.#asked = undefined;
    this.#early = undefined;
    this.held = applySnapshot(this.held, server.snapshot(at + (pick % (now - at + 1)), after));
    for (const event of early) this.hear(event, now);
  }
}

function perform(what: Step, server: Server, watcher: Watcher): void {
  const { events } = server;
  if (what.do === 'happen') server.happen(what.change);
  if (what.do === 'look at the line') server.lookAtLine();
  if (what.do === 'deliver a place') {
    // Again, late or never, as any event.
    const place = server.places[what.pick % Math.max(1, server.places.length)];
    if (place) watcher.hear(place, events.length);
  }
  if (what.do === 'resync') watcher.ask(events.length);
  if (what.do === 'answer') watcher.answer(server, what.pick);
  if (what.do === 'restart') {
    server.restart(what.pick % (events.length + 1));
    // The feed declares it before it tells anything that came later.
    watcher.ask(events.length);
  }
  if (what.do === 'deliver' || what.do === 'deliver latest') {
    // Any event at any time, again or never: loss, repetition and disorder are all in here.
    const event = what.do === 'deliver' ? events[what.pick % Math.max(1, events.length)] : events.at(-1);
    if (event) watcher.hear(event, events.length);
  }
}

const steps = fc.array(step, { maxLength: 120, size: 'max' });
const RUNS = { numRuns: 200 };

test('whatever is lost, repeated, disordered or rolled back, a watcher holds dense true numbers and never goes back', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const [server, watcher] = [new Server(Number.POSITIVE_INFINITY), new Watcher()];
      watcher.ask(0);
      for (const what of all) {
        const before = watcher.held?.cursor;
        perform(what, server, watcher);
        const { held } = watcher;
        if (!held) continue;
        if (before && before.epoch === held.cursor.epoch)
          expect(comparePositions(held.cursor.pos, before.pos)).toBeGreaterThanOrEqual(0);
        // A watcher that has not heard of a restart yet holds what was true before it.
        if (held.cursor.epoch !== server.epoch) continue;
        expect(held.log).toEqual(server.logUpTo(server.events.length).slice(0, held.cursor.log));
        expect(held.output).toEqual(server.outputUpTo(server.events.length).slice(0, held.cursor.output));
      }
    }),
    RUNS,
  );
});

test('a place in line is held while the job waits and no longer, never gets older, and moves nothing else', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const [server, watcher] = [new Server(Number.POSITIVE_INFINITY), new Watcher()];
      watcher.ask(0);
      for (const what of all) {
        const before = watcher.held;
        perform(what, server, watcher);
        const { held } = watcher;
        if (!held) continue;
        if (held.job.position) expect(held.job.state).toBe('waiting');
        if (what.do !== 'deliver a place' || !before) continue;
        expect({ ...held, job: { ...held.job, position: undefined } }).toEqual({
          ...before,
          job: { ...before.job, position: undefined },
        });
        expect(placedAt(held)).toBeGreaterThanOrEqual(placedAt(before));
      }
    }),
    RUNS,
  );
});

function placedAt({ job }: WatchedJob): number {
  return Date.parse(job.position?.at ?? time(0));
}

test('after one more answer a watcher holds the truth, whatever went before', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(3, Number.POSITIVE_INFINITY), (all, kept) => {
      const [server, watcher] = [new Server(kept), new Watcher()];
      watcher.ask(0);
      for (const what of all) perform(what, server, watcher);
      const now = server.events.length;
      watcher.ask(now);
      watcher.answer(server, 0);
      const { held } = watcher;
      const [log, output] = [server.logUpTo(now), server.outputUpTo(now)];
      expect(held?.job).toEqual(truth(server.events));
      expect(held?.cursor).toEqual(server.snapshot(now).cursor);
      // Of what the server no longer keeps, a watcher holds what it heard in time; all of it is true and in order.
      expect(held?.log).toEqual(
        log.filter(({ n }) => n >= log.length - kept || held?.log.some((line) => line.n === n)),
      );
      expect(held?.output).toEqual(
        output.filter(({ n }) => n >= output.length - kept || held?.output.some((chunk) => chunk.n === n)),
      );
    }),
    RUNS,
  );
});

test('with nothing lost, a watcher holds the truth of its position at any time, however often it is told', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.array(fc.nat()), fc.nat(), (changes, repeats, from) => {
      const [server, watcher] = [new Server(Number.POSITIVE_INFINITY), new Watcher()];
      for (const each of changes) server.happen(each);
      const start = from % (changes.length + 1);
      watcher.ask(start);
      watcher.answer({ events: { length: start }, snapshot: server.snapshot.bind(server) } as unknown as Server, 0);
      for (const [index, event] of server.events.entries()) {
        watcher.hear(event, index);
        const again = server.events[(repeats[index] ?? 0) % (index + 1)];
        if (again) watcher.hear(again, index);
        const count = Math.max(start, index + 1);
        const { job, log, output } = server.snapshot(count);
        expect(watcher.held).toMatchObject({ job, log, output });
      }
    }),
    RUNS,
  );
});

test('a snapshot that begins above the cursor is a truncation that was declared, and is not asked about again', () => {
  const [server, watcher] = [new Server(3), new Watcher()];
  server.happen({ kind: 'report', lines: 2, chunks: 2, fraction: undefined });
  watcher.ask(1);
  watcher.answer(server, 0);
  for (let n = 0; n < 5; n += 1) server.happen({ kind: 'report', lines: 3, chunks: 2, fraction: undefined });
  const latest = server.events.at(-1) as JobEvent;
  const held = watcher.held as WatchedJob;
  expect(leavesHole(held, latest)).toBe(true);
  const next = applySnapshot(held, server.snapshot(server.events.length, held.cursor));
  expect(next.log.map(({ n }) => n)).toEqual([0, 1, 14, 15, 16]);
  expect(next.cursor).toMatchObject({ log: 17, output: 12 });
  server.happen({ kind: 'report', lines: 1, chunks: 1, fraction: undefined });
  expect(leavesHole(next, server.events.at(-1) as JobEvent)).toBe(false);
});

test('what is said of other jobs changes nothing, whatever it looks like', () => {
  const held = new Server(3).snapshot(0);
  const foreign = fc.oneof(fc.object(), fc.record({ kind: fc.constantFrom('state', 'report', 'removed') }));
  fc.assert(
    fc.property(foreign, fc.string(), (what, job) => {
      const event = { ...what, job: `other.${job}` } as unknown as JobEvent;
      expect(applyEvent(held, event)).toBe(held);
      expect(leavesHole(held, event)).toBe(false);
    }),
    RUNS,
  );
});
