import { type History, judge } from '../chaos/accountant.mjs';
import { nextErrand } from '../chaos/load/requests.mjs';
import { FAULT_KINDS, type FaultKind, planFaults } from '../chaos/plan.mjs';
import { seededRandom } from '../chaos/random.mjs';

const JOB = 'chaos.A';

/** One job that was accepted, run once by process 1, and watched: every promise kept, but for what `change` says. */
function historyWith(change: Partial<History> = {}): History {
  return {
    accepted: [{ key: 'k', id: JOB, kind: 'plain' }],
    cancels: [],
    marks: [mark('1.1', 'start', 0), mark('1.1', 'effect', 10)],
    trails: new Map([[JOB, [{ chunk: '1.1' }, { end: 'completed', run: '1.1' }]]]),
    jobs: new Map([[JOB, { state: 'completed' }]]),
    watched: [{ id: JOB, state: 'completed' }],
    batches: [{ id: 'batch.A', jobs: [JOB], counts: { total: 1, open: 0, completed: 1, failed: 0, cancelled: 0 } }],
    kills: [],
    ...change,
  };
}

function mark(run: string, phase: History['marks'][number]['phase'], at: number, more: object = {}) {
  return { job: JOB, key: 'k', run, phase, at, ...more };
}

/** The promises that a history breaks, each with how often. */
function brokenIn(change: Partial<History>): Record<string, number> {
  const broken = Object.entries(judge(historyWith(change)).broken);
  return Object.fromEntries(broken.flatMap(([key, { length }]) => (length > 0 ? [[key, length]] : [])));
}

const trail = (...happenings: NonNullable<ReturnType<History['trails']['get']>>) => new Map([[JOB, happenings]]);
const twoRuns = [mark('1.1', 'start', 0), mark('2.1', 'start', 5), mark('2.1', 'effect', 9)];
const end = { end: 'completed', run: '2.1' };
/** Nobody watched it and no batch counts it: only the job itself tells what became of it. */
const alone = { watched: [], batches: [] };

test('a history in which everything went well breaks no promise', () => {
  expect(brokenIn({})).toEqual({});
});

test.each<[string, Partial<History>, Record<string, number>]>([
  ['a job that never ends is lost', { jobs: new Map([[JOB, { state: 'waiting' }]]), ...alone }, { lost: 1 }],
  ['a job that nobody knows any more is lost', { jobs: new Map(), ...alone }, { lost: 1 }],
  [
    'a job that ends a second time ended twice',
    { trails: trail({ chunk: '1.1' }, { end: 'completed', run: '1.1' }, { end: 'completed', run: '1.1' }) },
    { endedTwice: 1 },
  ],
  [
    'a job that runs again after its end did not end once',
    { trails: trail({ end: 'completed', run: '1.1' }, { after: 'active' }) },
    { endedTwice: 1 },
  ],
  [
    'a job that is kept otherwise than its end was told ended twice',
    { trails: trail({ end: 'failed' }) },
    { endedTwice: 1 },
  ],
  [
    'a chunk of a run that began before the one that wrote last is a zombie',
    { marks: twoRuns, trails: trail({ chunk: '2.1' }, { chunk: '1.1' }, end) },
    { zombieWrites: 1 },
  ],
  [
    'a result of a run that began before the one that wrote last is a zombie',
    { marks: twoRuns, trails: trail({ chunk: '2.1' }, { end: 'completed', run: '1.1' }) },
    { zombieWrites: 1 },
  ],
  [
    'a chunk behind the end is a zombie',
    { marks: twoRuns, trails: trail({ chunk: '2.1' }, end, { chunk: '2.1' }) },
    { zombieWrites: 1 },
  ],
  [
    'two runs that write in turns hold one job at the same time',
    { marks: twoRuns, trails: trail({ chunk: '1.1' }, { chunk: '2.1' }, { chunk: '1.1' }, { chunk: '2.1' }, end) },
    { concurrentHolders: 1, zombieWrites: 1 },
  ],
  ['a run that takes over from one that was lost is none of that', { marks: twoRuns, trails: trail(end) }, {}],
  [
    'two ids for one key are a duplicate',
    { accepted: [JOB, 'chaos.B'].map((id) => ({ key: 'k', id, kind: 'plain' })) },
    { lost: 1, duplicates: 1 },
  ],
  [
    'a second job that only a handler saw is a duplicate',
    { marks: [...historyWith().marks, mark('1.2', 'start', 3, { job: 'chaos.B' })] },
    { duplicates: 1 },
  ],
  ['a completed job that no handler brought to its end is found', { marks: [] }, { endsWithoutEffect: 1 }],
  [
    'a job that failed though its handler would not is found',
    { jobs: new Map([[JOB, { state: 'failed' }]]), trails: trail({ end: 'failed' }), ...alone },
    { unasked: 1 },
  ],
  [
    'a job that was cancelled though nobody asked for it is found',
    { jobs: new Map([[JOB, { state: 'cancelled' }]]), trails: trail({ end: 'failed' }), ...alone },
    { unasked: 1 },
  ],
  [
    'a cancel that was confirmed and did not hold is found',
    { cancels: [{ id: JOB, state: 'cancelled' }] },
    { brokenCancels: 1 },
  ],
  ['a cancel that came too late is none', { cancels: [{ id: JOB, state: 'completed' }] }, {}],
  [
    'a batch that counts an end twice is found',
    { batches: [{ id: 'b', jobs: [JOB], counts: { total: 2, open: 0, completed: 2, failed: 0, cancelled: 0 } }] },
    { miscounted: 1 },
  ],
  ['a batch that cannot be read is found', { batches: [{ id: 'b', jobs: [JOB] }] }, { miscounted: 1 }],
  ['a watcher that saw no end is found', { watched: [{ id: JOB }] }, { missedEnds: 1 }],
  ['a watcher that saw another end is found', { watched: [{ id: JOB, state: 'failed' }] }, { missedEnds: 1 }],
])('%s', (_name, change, expected) => {
  expect(brokenIn(change)).toEqual(expected);
});

test('recovery is the time from the kill of a worker to the next start of what it was running', () => {
  const kills = [{ pid: 1, at: 4 }];
  const second = mark('1.2', 'start', 1, { job: 'chaos.B' });
  const ended = mark('1.2', 'effect', 2, { job: 'chaos.B' });
  const { recovery } = judge(historyWith({ marks: [twoRuns[0]!, second, ended, ...twoRuns.slice(1)], kills }));
  expect(recovery).toEqual({ jobs: 1, p50Ms: 1, p99Ms: 1, maxMs: 1 });
});

test('effects outside of Redis that were made twice are counted, and break no promise', () => {
  const marks = [mark('1.1', 'start', 0), mark('1.1', 'effect', 4), ...twoRuns.slice(1)];
  const change = { marks, trails: trail({ chunk: '1.1' }, { chunk: '2.1' }, end) };
  expect(judge(historyWith(change)).counts.repeatedEffects).toBe(1);
  expect(brokenIn(change)).toEqual({});
});

test('a handler that goes on after the next one has begun is counted as a zombie', () => {
  const marks = [...twoRuns, mark('1.1', 'effect', 20)];
  expect(judge(historyWith({ marks, trails: trail(end) })).counts).toMatchObject({ zombies: 1, repeatedEffects: 1 });
  expect(judge(historyWith({ marks: twoRuns, trails: trail(end) })).counts.zombies).toBe(0);
});

const kinds = Object.keys(FAULT_KINDS) as FaultKind[];
const targets = {
  worker: ['worker 1', 'worker 2', 'worker 3'],
  api: ['api 1', 'api 2'],
  status: ['status 1', 'status 2'],
  redis: ['redis'],
  line: ['clients to api', 'api to status'],
};

test('a seed decides what breaks when, and another one decides otherwise', () => {
  const plan = (seed: number) => planFaults({ seed, seconds: 60, everyMs: 5000, kinds, targets });
  expect(plan(7)).toEqual(plan(7));
  expect(plan(7)).not.toEqual(plan(8));
});

test.each([1, 2, 3, 4, 5])(
  'with seed %d every kind of fault comes, at its pace, and nothing is hit while it is down',
  (seed) => {
    const plan = planFaults({ seed, seconds: 100, everyMs: 5000, kinds, targets });
    expect(plan).toHaveLength(20);
    expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(kinds));
    const clashes = plan.filter(({ target, atMs }, index) =>
      plan.slice(0, index).some((before) => before.target === target && before.atMs + before.forMs > atMs),
    );
    expect(clashes).toEqual([]);
  },
);

test('a seed decides what is submitted, and every kind of job comes', () => {
  const errands = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 500 }, (_, n) => nextErrand(random, `key-${n}`));
  };
  expect(errands(7)).toEqual(errands(7));
  expect(new Set(errands(7).map(({ kind }) => kind)).size).toBe(7);
  expect(errands(7).some(({ jobs }) => jobs.length > 1)).toBe(true);
});
