import { join } from 'node:path';
import { createLogger } from '@spillway/runtime';
import { until } from '@spillway/testkit';
import { typesOnStack } from '../src/blocked-loop/look.ts';
import { type BlockedReport, type LoopWatch, type RunningHere, watchLoop } from '../src/blocked-loop/watch.ts';
import { block } from './fixtures/blocking.mjs';

const config = { logLevel: 'silent', logFormat: 'json' } as const;
const FILE = join(__dirname, 'fixtures/blocking.mjs');
const BOTH = [
  { type: 'test.block', file: FILE },
  { type: 'test.other', file: '/elsewhere.js' },
];

async function watch(running: RunningHere[]) {
  const watched = watchLoop({
    types: BOTH,
    running: () => running,
    config,
    logger: createLogger('test', config),
    blockedMs: 300,
  });
  await watched.ready;
  return { ...watched, [Symbol.asyncDispose]: () => watched.stop() };
}

/** Blocks the loop again and again: a machine that does not run the watchdog in time sees nothing, or not whose work it is. */
function blockUntilTold({ report }: LoopWatch): Promise<BlockedReport> {
  const told = async () => {
    block(2000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const seen = report();
    return seen && seen.latest.jobs.length > 0 ? seen : undefined;
  };
  return until('a report', told, 60_000);
}

test('a handler that blocks the event loop is told by what is on the stack, with its job and how long it took', async () => {
  await using watched = await watch([
    { id: 'q.1', type: 'test.block' },
    { id: 'q.2', type: 'test.other' },
  ]);
  expect(watched.report()).toBeUndefined();
  const { latest, times } = await blockUntilTold(watched);
  expect(latest).toMatchObject({ type: 'test.block', jobs: ['q.1'] });
  expect(times).toBeGreaterThan(0);
  expect(latest.ms).toBeGreaterThanOrEqual(300);
  expect(Date.parse(latest.at)).toBeLessThan(Date.now());
}, 90_000);

test('where several types run and the stack does not tell, no type is accused', async () => {
  await using watched = await watch([
    { id: 'q.1', type: 'test.one' },
    { id: 'q.2', type: 'test.two' },
  ]);
  const { latest } = await blockUntilTold(watched);
  expect(latest.type).toBeUndefined();
  expect(latest.jobs).toEqual(['q.1', 'q.2']);
}, 90_000);

test.each([
  ['its own file', [{ url: 'node:fs' }, { url: 'file:///jobs/a.js' }], ['test.a', 'test.b']],
  ['its own file as a CommonJS module', [{ url: '/jobs/a.js' }], ['test.a', 'test.b']],
  ['a file that tsx loaded', [{ url: 'file:///jobs/a%20b.ts?namespace=spillway-jobs' }], ['test.c']],
  ['nothing that is known', [{ url: '' }, { url: 'file:///lib.js' }], []],
])('a stack with %s leads to the types of that file', (_what, frames, expected) => {
  const types = [
    { type: 'test.a', file: '/jobs/a.js' },
    { type: 'test.b', file: '/jobs/a.js' },
    { type: 'test.c', file: '/jobs/a b.ts' },
    { type: 'test.d', file: undefined },
  ];
  expect(typesOnStack(frames, types)).toEqual(expected);
});
