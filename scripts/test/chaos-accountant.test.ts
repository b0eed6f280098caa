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
    retries: [],
    parents: [],
    schedules: [],
    groupCap: 2,
    lives: new Map(),
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
  [
    'a completed job that no handler brought to its end is found',
    { marks: [mark('1.1', 'start', 0)] },
    { endsWithoutEffect: 1 },
  ],
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

const OTHER = 'chaos.B';
const both = (second: object) =>
  new Map([
    [JOB, { state: 'completed' }],
    [OTHER, { state: 'completed', ...second }],
  ]);
const afterRetry = trail({ end: 'failed' }, { after: 'waiting' }, { chunk: '2.1' }, end);
const child = (change: object = {}) => ({ id: OTHER, state: 'completed', run: '1.2', ...change });

/** A parent and its child, which ran before it; `told` is what the parent heard of it. */
function family({ childAt = 1, told = child() }: { childAt?: number; told?: object }): Partial<History> {
  const ofChild = (phase: 'start' | 'effect', at: number) => mark('1.2', phase, at, { job: OTHER, key: 'c' });
  return {
    marks: [
      ofChild('start', 0),
      ofChild('effect', childAt),
      mark('1.1', 'start', 5),
      mark('1.1', 'effect', 9, { children: [told] }),
    ].sort((a, b) => a.at - b.at),
    parents: [{ id: JOB, children: [OTHER] }],
    trails: new Map([
      [OTHER, [{ end: 'completed', run: '1.2' }]],
      [JOB, [{ end: 'completed', run: '1.1' }]],
    ]),
    jobs: both({}),
  };
}

/** Three jobs of a group with a cap of two, each from one time to another. */
function inGroup(...spans: [from: number, to?: number][]): Partial<History> {
  const ids = spans.map((_, n) => `chaos.${n}`);
  return {
    accepted: [],
    marks: spans.flatMap(([from, to], n) => {
      const more = { job: `chaos.${n}`, key: `k${n}`, group: 'g' };
      return [mark(`${n}.1`, 'start', from, more), ...(to === undefined ? [] : [mark(`${n}.1`, 'effect', to, more)])];
    }),
    trails: new Map(ids.map((id, n) => [id, [{ chunk: `${n}.1` }]])),
    jobs: new Map(),
    ...alone,
  };
}

const step = (run: string, at: number) => mark(run, 'step', at, { step: 0 });
const stepped = (run: string, at: number, value: string) => mark(run, 'stepped', at, { step: 0, value });
const stepTrail = { trails: trail({ chunk: '1.1' }, { chunk: '2.1' }, end) };
const [began1, began2] = [mark('1.1', 'start', 0), mark('2.1', 'start', 5)];
const made2 = mark('2.1', 'effect', 9);

function deduped(began: number, ended = 2): Partial<History> {
  return {
    accepted: [JOB, OTHER].map((id) => ({ key: id, id, kind: 'deduped', dedupe: 'd' })),
    marks: [
      ...historyWith().marks.map((each) => ({ ...each, key: JOB })),
      mark('1.2', 'effect', 9, { job: OTHER, key: OTHER }),
    ],
    lives: new Map([
      [JOB, { began: 1, ended }],
      [OTHER, { began, ended: 9 }],
    ]),
    jobs: both({}),
  };
}

function scheduled(...ticks: [tick: number, state?: string][]): Partial<History> {
  const jobs = ticks.map(([tick, state = 'completed'], n) => ({ id: `chaos.${n}`, tick, state }));
  return { schedules: [{ name: 's', startAt: 1000, everyMs: 1000, limit: 2, jobs }] };
}

const ofProcess = (at: number): Partial<History> => ({
  marks: [mark('1.1', 'start', 0, { parent: 7 }), mark('1.1', 'effect', at, { parent: 7 })],
  kills: [{ pid: 7, at: 100 }],
});

test.each<[string, Partial<History>, Record<string, number>]>([
  [
    'a job that is retried by hand may end twice',
    { retries: [{ id: JOB, done: true, calls: 1 }], marks: twoRuns, trails: afterRetry },
    {},
  ],
  [
    'a retry that was confirmed and set nothing going is found',
    { retries: [{ id: JOB, done: true, calls: 1 }], trails: trail({ end: 'completed', run: '1.1' }) },
    { brokenRetries: 1 },
  ],
  [
    'a job that ends more often than it was retried is found',
    {
      retries: [{ id: JOB, done: true, calls: 1 }],
      marks: twoRuns,
      trails: trail({ end: 'failed' }, { after: 'waiting' }, { end: 'failed' }, { after: 'waiting' }, end),
    },
    { brokenRetries: 1 },
  ],
  [
    'a chunk behind the end of a job that was retried is a zombie all the same',
    {
      retries: [{ id: JOB, done: true, calls: 1 }],
      marks: twoRuns,
      trails: trail({ end: 'failed' }, { after: 'waiting' }, end, { chunk: '2.1' }),
    },
    { zombieWrites: 1 },
  ],
  [
    'a job that ended with the result of a run of another one is found',
    {
      marks: [...historyWith().marks, mark('1.2', 'effect', 9, { job: OTHER, key: 'c' })],
      trails: trail({ end: 'completed', run: '1.2' }),
    },
    { foreignEnds: 1 },
  ],
  ['a parent that ran after its child is well', family({}), {}],
  ['a parent that began before its child had its effect is found', family({ childAt: 7 }), { earlyParents: 1 }],
  ['a parent that heard of another result is found', family({ told: child({ run: '9.9' }) }), { earlyParents: 1 }],
  ['a parent that heard of another end is found', family({ told: child({ state: 'failed' }) }), { earlyParents: 1 }],
  [
    'a parent may fail for a child that is found itself',
    {
      ...family({}),
      accepted: [JOB, OTHER].map((id) => ({ key: id, id, kind: 'flow' })),
      marks: [],
      trails: new Map(),
      jobs: new Map([
        [JOB, { state: 'failed', error: { code: 'child_failed' } }],
        [OTHER, { state: 'failed', error: { code: 'handler_failed' } }],
      ]),
      ...alone,
    },
    { unasked: 1 },
  ],
  [
    'a step that was remembered and not run again is well',
    {
      marks: [began1, step('1.1', 1), stepped('1.1', 2, '1.1'), began2, stepped('2.1', 6, '1.1'), made2],
      ...stepTrail,
    },
    {},
  ],
  [
    'a step whose work was cut short may run again',
    { marks: [began1, step('1.1', 1), began2, step('2.1', 6), stepped('2.1', 7, '2.1'), made2], ...stepTrail },
    {},
  ],
  [
    'a step that was remembered and run again is found',
    {
      marks: [
        began1,
        step('1.1', 1),
        stepped('1.1', 2, '1.1'),
        began2,
        step('2.1', 6),
        stepped('2.1', 7, '1.1'),
        made2,
      ],
      ...stepTrail,
    },
    { repeatedSteps: 1 },
  ],
  [
    'a step that gave two values is found',
    { marks: [began1, stepped('1.1', 2, '1.1'), began2, stepped('2.1', 7, '2.1'), made2], ...stepTrail },
    { repeatedSteps: 1 },
  ],
  ['a job may follow another one with its dedupe key', deduped(3), {}],
  ['a job that came while another one with its dedupe key had not ended is found', deduped(2, 3), { standIns: 1 }],
  ['a job that came while another one with its dedupe key never ended is found', deduped(3, 0), { standIns: 1 }],
  ['a group may run as many as its cap', inGroup([0, 5], [1, 6], [5, 8]), {}],
  ['a group that runs more than its cap is found', inGroup([0, 5], [1, 6], [4, 8]), { exceededCaps: 1 }],
  ['a run that was killed holds no place that could be counted', inGroup([0], [1, 6], [4, 8]), {}],
  ['a run that never held the lease counts for no cap', { ...inGroup([0, 5], [1, 6], [4, 8]), trails: new Map() }, {}],
  ['a schedule may pass over a tick', scheduled([1000], [3000]), {}],
  ['two jobs for one tick are found', scheduled([1000], [1000], [2000]), { wrongTicks: 1 }],
  ['a tick that is missing is found', scheduled([1000]), { wrongTicks: 1 }],
  ['a job at a time that was no tick is found', scheduled([1000], [2500]), { wrongTicks: 1 }],
  ['a job of a schedule that did not complete is found', scheduled([1000], [2000, 'failed']), { wrongTicks: 1 }],
  ['a process that ends soon after its worker is well', ofProcess(2000), {}],
  ['a process that went on without its worker is found', ofProcess(20_000), { outlived: 1 }],
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
    return Array.from({ length: 2000 }, (_, n) => nextErrand(random, `key-${n}`));
  };
  expect(errands(7)).toEqual(errands(7));
  expect(new Set(errands(7).map(({ kind }) => kind)).size).toBe(17);
  expect(new Set(errands(7).map(({ as }) => as))).toEqual(new Set(['job', 'batch', 'deduped', 'flow']));
});
