import {
  type AttemptRecord,
  applyEvent,
  applySnapshot,
  type Job,
  type JobChange,
  type JobEvent,
  leavesHole,
  type WatchedJob,
} from '@spillway/contracts';

const ID = 'default.01JD2V9K8Q4W5X6Y7Z8A9B0C1D';
const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

const FIRST: AttemptRecord = {
  attempt: 1,
  worker: 'w1',
  endedAt: '2026-01-02T03:04:01.000Z',
  error: { code: 'handler_failed', message: 'no' },
};

function held(over: Partial<Job> = {}, log: string[] = []): WatchedJob {
  const job: Job = {
    id: ID,
    type: 'demo.steps',
    queue: 'default',
    state: 'waiting',
    attempt: 0,
    attempts: 3,
    createdAt: '2026-01-02T03:04:00.000Z',
    ...over,
  };
  return {
    job,
    cursor: { pos: '10-0', log: log.length, output: 0 },
    log: log.map((line, n) => ({ n, line })),
    output: [],
  };
}

function event(change: JobChange, pos = '11-0'): JobEvent {
  return { job: ID, pos, at: AT, ...change };
}

describe('an event', () => {
  test.each(['9-7', '10-0'])('at or before the held position (%s) changes nothing', (pos) => {
    const before = held();
    expect(applyEvent(before, event({ kind: 'state', state: 'active' }, pos))).toBe(before);
  });

  test('of another job changes nothing', () => {
    const before = held();
    expect(applyEvent(before, { ...event({ kind: 'removed' }), job: `${ID}X` })).toBe(before);
  });

  test('compares positions as numbers: 10-10 comes after 10-9', () => {
    const before = { ...held(), cursor: { pos: '10-9', log: 0, output: 0 } };
    expect(applyEvent(before, event({ kind: 'removed' }, '10-10')).removed).toBe(true);
  });

  test('applied twice is applied once', () => {
    const report = event({ kind: 'report', log: [{ n: 0, line: 'a' }], output: [{ n: 0, chunk: 1 }] });
    const once = applyEvent(held(), report);
    expect(applyEvent(once, report)).toBe(once);
    expect(once).toMatchObject({ cursor: { pos: '11-0', log: 1, output: 1 }, log: [{ n: 0 }], output: [{ n: 0 }] });
  });

  test('drops lines that are held already and keeps the rest', () => {
    const report = event({
      kind: 'report',
      log: [
        { n: 1, line: 'b' },
        { n: 2, line: 'c' },
      ],
    });
    expect(applyEvent(held({}, ['a', 'b']), report).log.map(({ line }) => line)).toEqual(['a', 'b', 'c']);
  });

  test('without progress keeps the latest progress', () => {
    const progress = { fraction: 0.4, message: 'four' };
    expect(applyEvent(held({ progress }), event({ kind: 'report' })).job.progress).toEqual(progress);
  });
});

const ENDED: Partial<Job> = {
  state: 'failed',
  attempt: 3,
  finishedAt: '2026-01-02T03:04:04.000Z',
  error: { code: 'handler_failed', message: 'no' },
};

test.each<[string, Partial<Job>, JobChange, Partial<Job>, (keyof Job)[]]>([
  [
    'active counts the attempt',
    {},
    { kind: 'state', state: 'active' },
    { attempt: 1, startedAt: '2026-01-02T03:04:05.000Z' },
    [],
  ],
  ['active clears the due time', { state: 'delayed', runAt: 'x' }, { kind: 'state', state: 'active' }, {}, ['runAt']],
  ['delayed says when', { state: 'active' }, { kind: 'state', state: 'delayed', runAt: 'soon' }, { runAt: 'soon' }, []],
  [
    'delayed after a failed attempt says why, and keeps the attempt',
    { state: 'active', attempt: 1 },
    { kind: 'state', state: 'delayed', runAt: 'soon', error: FIRST.error, ended: FIRST },
    { error: FIRST.error, history: [FIRST], attempts: 3 },
    [],
  ],
  [
    'waiting after a lost worker has one attempt more in all',
    { state: 'active', attempt: 1 },
    { kind: 'state', state: 'waiting', ended: FIRST },
    { attempt: 1, attempts: 4, history: [FIRST] },
    ['error'],
  ],
  [
    'waiting after a retry by hand has the attempts that it was given',
    { ...ENDED, history: [FIRST] },
    { kind: 'state', state: 'waiting', attempts: 6 },
    { attempts: 6, history: [FIRST] },
    ['error'],
  ],
  [
    'failed keeps the last attempt, of which only ten are kept',
    { state: 'active', attempt: 12, history: Array(10).fill(FIRST) },
    { kind: 'state', state: 'failed', error: { code: 'timeout', message: 'slow' } },
    {
      history: [
        ...Array(9).fill(FIRST),
        { attempt: 12, endedAt: '2026-01-02T03:04:05.000Z', error: { code: 'timeout', message: 'slow' } },
      ],
    },
    [],
  ],
  [
    'waiting after a retry forgets the end',
    ENDED,
    { kind: 'state', state: 'waiting' },
    { attempt: 3 },
    ['error', 'finishedAt'],
  ],
  ['delayed after a retry forgets the end', ENDED, { kind: 'state', state: 'delayed' }, {}, ['error', 'finishedAt']],
  [
    'completed brings the result',
    { state: 'active' },
    { kind: 'state', state: 'completed', result: 0 },
    { result: 0 },
    ['error'],
  ],
  [
    'failed brings the error',
    { state: 'active' },
    { kind: 'state', state: 'failed', error: { code: 'timeout', message: 'slow' } },
    { error: { code: 'timeout', message: 'slow' }, finishedAt: '2026-01-02T03:04:05.000Z' },
    ['result'],
  ],
])('%s', (_name, before, change, expected, absent) => {
  const { job } = applyEvent(held(before), event(change));
  expect(job).toMatchObject({ state: 'state' in change && change.state, ...expected });
  for (const field of absent) expect(job).not.toHaveProperty(field);
});

describe('a hole', () => {
  test.each<[string, JobChange, boolean]>([
    ['the next line leaves none', { kind: 'report', log: [{ n: 1, line: 'b' }] }, false],
    ['a line too far leaves one', { kind: 'report', log: [{ n: 2, line: 'c' }] }, true],
    ['a chunk too far leaves one', { kind: 'report', output: [{ n: 1, chunk: 0 }] }, true],
    ['overlap leaves none', { kind: 'report', log: [{ n: 0, line: 'a' }] }, false],
    ['progress alone leaves none', { kind: 'report', progress: { fraction: 1 } }, false],
    ['a state leaves none', { kind: 'state', state: 'active' }, false],
  ])('%s', (_name, change, expected) => {
    expect(leavesHole(held({}, ['a']), event(change))).toBe(expected);
  });

  test('is none in an event from before', () => {
    expect(leavesHole(held({}, ['a']), event({ kind: 'report', log: [{ n: 7, line: 'x' }] }, '9-0'))).toBe(false);
  });
});

describe('a snapshot', () => {
  const later = (over: Partial<WatchedJob>): WatchedJob => ({
    ...held(),
    cursor: { pos: '20-0', log: 3, output: 0 },
    ...over,
  });

  test('is the start where nothing is held', () => {
    expect(applySnapshot(undefined, held({}, ['a']))).toEqual(held({}, ['a']));
  });

  test('continues the log after the cursor', () => {
    const { log, cursor } = applySnapshot(held({}, ['a', 'b']), later({ log: [{ n: 2, line: 'c' }] }));
    expect(log.map(({ line }) => line)).toEqual(['a', 'b', 'c']);
    expect(cursor).toEqual({ pos: '20-0', log: 3, output: 0 });
  });

  test('with the whole log leaves each line once', () => {
    const { log } = applySnapshot(held({}, ['a', 'b']), later({ log: held({}, ['a', 'b', 'c']).log }));
    expect(log.map(({ n }) => n)).toEqual([0, 1, 2]);
  });

  test('forgets what the state before left', () => {
    expect(applySnapshot(held(ENDED), later({})).job).not.toHaveProperty('error');
  });

  test('without the input keeps the one that is held', () => {
    expect(applySnapshot(held({ input: { a: 1 } }), later({})).job.input).toEqual({ a: 1 });
  });

  test('from before the held position drops the lines that it does not vouch for', () => {
    const back = { ...held(), cursor: { pos: '5-0', log: 1, output: 0 } };
    const { log, cursor } = applySnapshot(held({}, ['kept', 'lost']), back);
    expect(log.map(({ line }) => line)).toEqual(['kept']);
    expect(cursor).toEqual(back.cursor);
  });
});
