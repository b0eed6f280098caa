import {
  applyEvent,
  applySnapshot,
  comparePositions,
  type Job,
  type JobChange,
  type JobEvent,
  leavesHole,
  type Snapshot,
  type WatchedJob,
} from '@spillway/contracts';

const JOB: Job = {
  id: 'default.01JD2V9K8Q4W5X6Y7Z8A9B0C1D',
  type: 'demo.steps',
  queue: 'default',
  state: 'waiting',
  attempt: 0,
  attempts: 2,
  createdAt: '2026-01-02T03:04:00.000Z',
  input: { steps: 2 },
};

/** A job that fails once, is tried again, completes, and is retried by hand: everything that one job can see. */
const HISTORY = history([
  { kind: 'state', state: 'delayed', runAt: '2026-01-02T03:04:01.000Z' },
  { kind: 'state', state: 'waiting' },
  { kind: 'state', state: 'active' },
  { kind: 'report', progress: { fraction: 0.5, message: 'half' }, log: lines(0, 2), output: chunks(0, 1) },
  { kind: 'report', log: lines(2, 3) },
  { kind: 'state', state: 'failed', error: { code: 'handler_failed', message: 'no' } },
  { kind: 'state', state: 'waiting' },
  { kind: 'state', state: 'active' },
  { kind: 'report', progress: { fraction: 1 }, output: chunks(1, 4) },
  { kind: 'state', state: 'completed', result: { done: true } },
  { kind: 'state', state: 'waiting' },
  { kind: 'state', state: 'cancelled', error: { code: 'cancelled', message: 'by hand' } },
]);

function history(changes: JobChange[]): JobEvent[] {
  // Two of them share a millisecond, as in a real stream.
  return changes.map((change, n) => ({ job: JOB.id, pos: `${10 + (n >> 1)}-${n % 2}`, at: 1000 * n, ...change }));
}

function lines(from: number, to: number) {
  return Array.from({ length: to - from }, (_, n) => ({ n: from + n, line: `line ${from + n}` }));
}

function chunks(from: number, to: number) {
  return Array.from({ length: to - from }, (_, n) => ({ n: from + n, chunk: { n: from + n } }));
}

/** The truth after the first `count` events. */
function truth(count: number): WatchedJob {
  return play({ job: JOB, cursor: { pos: '9-0', log: 0, output: 0 }, log: [], output: [] }, HISTORY.slice(0, count));
}

/** What the server answers after `count` events to a watcher whose log and output end at the cursor. */
function snapshot(count: number, after = { log: 0, output: 0 }): Snapshot {
  const { job, cursor, log, output } = truth(count);
  return {
    job,
    cursor,
    log: log.filter(({ n }) => n >= after.log),
    output: output.filter(({ n }) => n >= after.output),
  };
}

function play(held: WatchedJob, events: readonly JobEvent[]): WatchedJob {
  return events.reduce((job, event) => frozen(applyEvent(frozen(job), event)), held);
}

/** Shows that folding is pure: writing to what it was given would throw. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

const END = HISTORY.length;
const STARTS = HISTORY.map((_, n) => n);

test.each(STARTS)('a watcher that joins after %i events ends with the truth, whatever overlap it is sent', (start) => {
  for (let overlap = 0; overlap <= start; overlap += 1) {
    expect(play(snapshot(start), HISTORY.slice(start - overlap))).toEqual(truth(END));
  }
});

test.each(STARTS)('every event after the first %i, sent twice in a row, counts once', (start) => {
  const twice = HISTORY.slice(start).flatMap((event) => [event, event]);
  expect(play(snapshot(start), twice)).toEqual(truth(END));
});

test('a whole history that is sent again changes nothing, not even the object', () => {
  const end = truth(END);
  expect(play(end, HISTORY)).toBe(end);
});

test.each(STARTS)('a watcher that was away from event %i on continues from its cursor with one snapshot', (left) => {
  for (let back = left; back <= END; back += 1) {
    const held = truth(left);
    expect(applySnapshot(frozen(held), frozen(snapshot(back, held.cursor)))).toEqual(truth(back));
  }
});

test.each(STARTS)('a snapshot of everything after %i events leaves each line and chunk once', (left) => {
  for (let back = left; back <= END; back += 1) {
    expect(applySnapshot(truth(left), snapshot(back))).toEqual(truth(back));
  }
});

test('what Redis lost with its last writes is dropped by the snapshot that says so', () => {
  for (const lost of STARTS) expect(applySnapshot(truth(END), snapshot(lost))).toEqual(truth(lost));
});

test('the position never goes back, and only a later state follows a final one', () => {
  const shuffled = [...HISTORY, ...HISTORY.slice(3, 8), ...HISTORY.slice(0, 2)];
  let held = truth(0);
  for (const event of shuffled) {
    const next = applyEvent(held, event);
    expect(comparePositions(next.cursor.pos, held.cursor.pos)).toBeGreaterThanOrEqual(0);
    if (comparePositions(event.pos, held.cursor.pos) <= 0) expect(next).toBe(held);
    held = next;
  }
  expect(held.job.state).toBe('cancelled');
});

test('a retry after the end opens the job again: nothing of the end is left', () => {
  const [ended, retried] = [truth(10), truth(11)];
  expect(ended.job).toMatchObject({ state: 'completed', result: { done: true }, attempt: 2 });
  expect(retried.job).toMatchObject({ state: 'waiting', attempt: 2 });
  for (const field of ['result', 'error', 'finishedAt', 'runAt']) expect(retried.job).not.toHaveProperty(field);
});

test('a job that is being cancelled is in its attempt still, and keeps who asked until a retry', () => {
  const cancel = { by: 'ann', reason: 'a mistake', at: '2026-01-02T03:04:05.000Z' };
  const told = (change: JobChange, n: number): JobEvent => ({
    job: JOB.id,
    pos: `100-${n}`,
    at: 99_000 + n,
    ...change,
  });
  const cancelling = applyEvent(truth(4), told({ kind: 'state', state: 'active', cancel }, 0));
  expect(cancelling.job).toEqual({ ...truth(4).job, cancel });
  const recovered = applyEvent(cancelling, told({ kind: 'state', state: 'waiting' }, 1));
  expect(recovered.job).toMatchObject({ state: 'waiting', cancel });
  const error = { code: 'cancelled', message: 'cancelled by ann: a mistake' };
  const ended = applyEvent(recovered, told({ kind: 'state', state: 'cancelled', error }, 2));
  expect(ended.job).toMatchObject({ state: 'cancelled', error, cancel });
  const retried = applyEvent(ended, told({ kind: 'state', state: 'waiting' }, 3));
  expect(retried.job).not.toHaveProperty('cancel');
});

test('a removed job keeps its last state, and no event brings it back', () => {
  const at = { job: JOB.id, at: 0 };
  const removed = applyEvent(truth(10), { ...at, pos: '100-0', kind: 'removed' });
  expect(removed).toEqual({ ...truth(10), cursor: { ...truth(10).cursor, pos: '100-0' }, removed: true });
  expect(play(removed, HISTORY)).toBe(removed);
  expect(applyEvent(removed, { ...at, pos: '101-0', kind: 'report', progress: { fraction: 0 } }).removed).toBe(true);
});

test('a snapshot of a job that was thought to be removed shows that it is there', () => {
  const removed = applyEvent(truth(3), { job: JOB.id, at: 0, pos: '100-0', kind: 'removed' });
  expect(applySnapshot(removed, snapshot(3))).toEqual(truth(3));
});

test('an event of another job is none of this one', () => {
  const held = truth(3);
  const other = { job: `${JOB.id.slice(0, -1)}E`, at: 0, pos: '100-0' };
  expect(applyEvent(held, { ...other, kind: 'removed' })).toBe(held);
  expect(leavesHole(held, { ...other, kind: 'report', log: lines(9, 10) })).toBe(false);
});

test('no event of a whole history leaves a hole, and one that was lost on the way does', () => {
  let held = truth(0);
  for (const event of HISTORY) {
    expect(leavesHole(held, event)).toBe(false);
    held = applyEvent(held, event);
  }
  expect(leavesHole(truth(3), HISTORY[4]!)).toBe(true);
  expect(leavesHole(truth(3), HISTORY[8]!)).toBe(true);
});

test('a snapshot of another life of Redis replaces log and output, whatever their numbers', () => {
  const held = truth(END);
  const first: WatchedJob = { ...held, cursor: { ...held.cursor, epoch: 'first' } };
  const part = snapshot(5);
  const second: Snapshot = { ...part, cursor: { ...part.cursor, epoch: 'second' }, log: lines(1, 2), output: [] };
  expect(applySnapshot(first, second)).toMatchObject({ log: lines(1, 2), output: [] });
});

test.each([
  ['the same', 'first', 'first'],
  ['none before', undefined, 'first'],
  ['none now', 'first', undefined],
])('a snapshot of the same life, as far as one can tell (%s), continues', (_what, before, now) => {
  const held = { ...truth(4), cursor: { ...truth(4).cursor, epoch: before } };
  const next = snapshot(END, held.cursor);
  const { log, cursor } = applySnapshot(held, { ...next, cursor: { ...next.cursor, epoch: now } });
  expect(log).toEqual(truth(END).log);
  expect(cursor.epoch).toBe(now);
});

test('events keep the epoch that their snapshot had', () => {
  const start = { ...truth(0), cursor: { ...truth(0).cursor, epoch: 'first' } };
  expect(play(start, HISTORY).cursor).toEqual({ ...truth(END).cursor, epoch: 'first' });
});

test('a place in line is taken at the very position of the snapshot, moves no cursor, and ends with the start', () => {
  const place = (pos: string, second: number, ahead: number): JobEvent => {
    const position = { ahead, startsInMs: 40_000, reason: 'workers_busy' as const, at: time(second) };
    return { job: JOB.id, pos, at: 1000 * second, kind: 'position', position };
  };
  const waiting = truth(0);
  const twelfth = applyEvent(waiting, place(waiting.cursor.pos, 2, 11));
  expect(twelfth).toEqual({ ...waiting, job: { ...waiting.job, position: expect.objectContaining({ ahead: 11 }) } });
  expect(applyEvent(twelfth, place('99-0', 2, 11))).toBe(twelfth);
  expect(applyEvent(twelfth, place('99-0', 1, 30))).toBe(twelfth);
  expect(applyEvent(twelfth, place('8-0', 9, 3))).toBe(twelfth);
  expect(applyEvent(twelfth, place('99-0', 3, 10)).job.position).toMatchObject({ ahead: 10 });
  const started = play(twelfth, [{ job: JOB.id, pos: '100-0', at: 1, kind: 'state', state: 'active' }]);
  expect(started.job).not.toHaveProperty('position');
  expect(applyEvent(started, place('101-0', 9, 0))).toBe(started);
});

function time(second: number): string {
  return new Date(1000 * second).toISOString();
}

test('a member of a set that is introduced again replaces what is held, unless that is newer', () => {
  const held = applySnapshot(undefined, { job: JOB, cursor: { pos: '5-0', log: 0, output: 0 }, log: [], output: [] });
  const { input: _input, ...brief } = JOB;
  const joined = (pos: string): JobEvent => ({
    job: JOB.id,
    pos,
    at: 1,
    kind: 'joined',
    snapshot: { job: { ...brief, state: 'active' }, cursor: { pos, log: 0, output: 0 }, log: [], output: [] },
  });
  expect(applyEvent(held, joined('5-0'))).toBe(held);
  expect(applyEvent(held, joined('6-0'))).toMatchObject({
    job: { state: 'active', input: JOB.input },
    cursor: { pos: '6-0' },
  });
});
