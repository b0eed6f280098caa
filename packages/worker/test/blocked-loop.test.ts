import { join } from 'node:path';
import { createLogger } from '@spillway/runtime';
import { until } from '@spillway/testkit';
import { typesOnStack } from '../src/blocked-loop/look.ts';
import { type RunningHere, watchLoop } from '../src/blocked-loop/watch.ts';
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

test('a handler that blocks the event loop is noticed by what is on the stack, with its job and how long it took', async () => {
  await using watched = await watch([
    { id: 'q.1', type: 'test.block' },
    { id: 'q.2', type: 'test.other' },
  ]);
  expect(watched.report()).toBeUndefined();
  const report = await until('a report', async () => {
    // Again and again: a machine that does not run the watchdog in time sees nothing.
    block(800);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return watched.report();
  });
  expect(report).toMatchObject({ times: expect.any(Number), latest: { type: 'test.block', jobs: ['q.1'] } });
  expect(report?.latest.ms).toBeGreaterThanOrEqual(300);
  expect(Date.parse(report?.latest.at ?? '')).toBeLessThan(Date.now());
});

test('where several types run and the stack does not tell, no type is accused', async () => {
  await using watched = await watch([
    { id: 'q.1', type: 'test.one' },
    { id: 'q.2', type: 'test.two' },
  ]);
  const report = await until('a report', async () => {
    block(800);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return watched.report();
  });
  expect(report?.latest.type).toBeUndefined();
  expect(report?.latest.jobs).toEqual(['q.1', 'q.2']);
});

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
