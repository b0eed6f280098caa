import type { WatchedJob } from '@spillway/client';
import { changesBetween } from '../src/changes.ts';

const WAITING: WatchedJob = {
  job: { id: 'demo.1', type: 'demo.steps', queue: 'demo', state: 'waiting', attempt: 0, attempts: 1, createdAt: '' },
  cursor: { pos: '1-0', log: 0, output: 0 },
  log: [],
  output: [],
};

function ended(): WatchedJob {
  return {
    job: {
      ...WAITING.job,
      state: 'completed',
      attempt: 1,
      finishedAt: 'now',
      progress: { fraction: 1, message: 'done' },
    },
    cursor: { pos: '9-0', log: 2, output: 1 },
    log: [
      { n: 0, line: 'a' },
      { n: 1, line: 'b' },
    ],
    output: [{ n: 0, chunk: { x: 1 } }],
  };
}

test('a first look tells everything, the end last', () => {
  const kinds = changesBetween(undefined, ended()).map(({ kind }) => kind);
  expect(kinds).toEqual(['log', 'log', 'output', 'progress', 'state']);
});

test('a later look tells what is new', () => {
  const before = { ...ended(), cursor: { pos: '5-0', log: 1, output: 1 } };
  expect(changesBetween(before, ended())).toEqual([{ kind: 'log', job: 'demo.1', n: 1, line: 'b' }]);
});

test('a place in line is told whenever it was looked at anew', () => {
  const placed = (ahead: number, at: string): WatchedJob => ({
    ...WAITING,
    job: { ...WAITING.job, position: { ahead, reason: 'workers_busy', at } },
  });
  const place = { kind: 'position', job: 'demo.1', ahead: 3, reason: 'workers_busy', at: '2026-01-02T03:04:05.000Z' };
  const at = place.at;
  expect(changesBetween(WAITING, placed(3, at))).toEqual([place]);
  expect(changesBetween(placed(3, at), placed(3, at))).toEqual([]);
  expect(changesBetween(placed(4, '2026-01-02T03:04:01.000Z'), placed(3, at))).toEqual([place]);
});

test('nothing new is nothing to tell', () => {
  expect(changesBetween(WAITING, WAITING)).toEqual([]);
});

test('another attempt is told even where the state is the same', () => {
  const active: WatchedJob = { ...WAITING, job: { ...WAITING.job, state: 'active', attempt: 1 } };
  const again: WatchedJob = { ...active, job: { ...active.job, attempt: 2 } };
  expect(changesBetween(active, again)).toEqual([{ kind: 'state', job: 'demo.1', state: 'active', attempt: 2 }]);
});
