import { suspects } from '../src/blocked-loop/look.ts';

// That a real worker is watched is tested with one, in apps/worker/test/isolate.test.ts.

const TYPES = [
  { type: 'test.a', file: '/jobs/a.js' },
  { type: 'test.b', file: '/jobs/a.js' },
  { type: 'test.c', file: '/jobs/a b.ts' },
  { type: 'test.d', file: undefined },
];
const RUNNING = ['a', 'b', 'c', 'c', 'd'].map((letter, index) => ({ id: `q.${index}`, type: `test.${letter}` }));
const ALL = RUNNING.map(({ id }) => id);

test.each<[string, string[], { type?: string; jobs: string[] }]>([
  ['one file of one type', ['node:fs', 'file:///jobs/a%20b.ts'], { type: 'test.c', jobs: ['q.2', 'q.3'] }],
  ['a file that tsx loaded', ['file:///jobs/a%20b.ts?namespace=x'], { type: 'test.c', jobs: ['q.2', 'q.3'] }],
  ['a file of two types', ['file:///jobs/a.js'], { jobs: ['q.0', 'q.1'] }],
  ['a CommonJS module', ['/jobs/a.js'], { jobs: ['q.0', 'q.1'] }],
  ['files of no type', ['', 'file:///lib.js'], { jobs: ALL }],
  ['nothing, because the thread could not be stopped', [], { jobs: ALL }],
])('a stack with %s leads to those who may block the loop', (_what, urls, expected) => {
  const frames = urls.map((url) => ({ name: 'run', url, line: 1 }));
  expect(suspects({ frames, running: RUNNING }, TYPES)).toEqual(expected);
});

test('the only job that runs is named, whatever the stack says; a hundred are not', () => {
  const [job] = RUNNING;
  expect(suspects({ frames: [], running: [job!] }, TYPES)).toEqual({ type: 'test.a', jobs: ['q.0'] });
  const many = Array.from({ length: 100 }, (_, index) => ({ id: `q.${index}`, type: 'test.d' }));
  expect(suspects({ frames: [], running: many }, TYPES).jobs).toHaveLength(10);
});
