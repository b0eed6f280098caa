import type { JobEvent, JobState, Snapshot } from '@spillway/contracts';
import { answer, frameSent, question } from '../src/end-of-watch.ts';
import type { LiveSocket, Watch } from '../src/live-socket.ts';

const JOB = 'demo.01JZZZZZZZZZZZZZZZZZZZZZZZ';
const ROOM = 'the room';

const state = (pos: string, to: JobState): JobEvent => ({ job: JOB, pos, at: 0, kind: 'state', state: to }) as JobEvent;
const snapshot = (pos: string, at: JobState) =>
  ({ job: { id: JOB, state: at }, cursor: { pos, log: 0, output: 0 } }) as Snapshot;

/** One connection in the job's room. */
function open() {
  let released = 0;
  const watch: Watch = { target: { job: JOB }, release: () => (released += 1) };
  const watched = new Map([[ROOM, watch]]);
  const socket = { data: { watched }, leave: () => undefined } as unknown as LiveSocket;
  return {
    ask: () => question(socket, ROOM),
    answer: (pos: string, at: JobState) => answer(socket, ROOM, snapshot(pos, at)),
    hear: (...events: JobEvent[]) => frameSent([socket], ROOM, events),
    get isWatching() {
      return watched.has(ROOM);
    },
    get released() {
      return released;
    },
  };
}

test('an end that follows the snapshot ends the watch, once', () => {
  const line = open();
  line.ask();
  line.answer('5-0', 'active');
  line.hear(state('6-0', 'active'));
  expect(line.isWatching).toBe(true);
  line.hear(state('7-0', 'completed'));
  line.hear(state('8-0', 'waiting'));
  expect(line).toMatchObject({ isWatching: false, released: 1 });
  expect(line.ask()).toBe(false);
});

test('a snapshot at the end ends the watch', () => {
  const line = open();
  line.ask();
  line.answer('7-0', 'completed');
  expect(line.isWatching).toBe(false);
});

test('an old end, of a run before the snapshot, ends nothing', () => {
  const line = open();
  line.ask();
  line.answer('9-0', 'active');
  line.hear(state('7-0', 'failed'));
  expect(line.isWatching).toBe(true);
});

test('a job that is started again in the same frame is watched on', () => {
  const line = open();
  line.ask();
  line.answer('5-0', 'active');
  line.hear(state('7-0', 'failed'), state('8-0', 'waiting'));
  expect(line.isWatching).toBe(true);
});

test.each([
  ['an end', [state('7-0', 'failed')], '5-0', 'active', false],
  ['an end and a new start', [state('7-0', 'failed'), state('8-0', 'waiting')], '5-0', 'active', true],
  ['an end that the snapshot is past', [state('7-0', 'failed')], '8-0', 'waiting', true],
  ['a start that the snapshot is past', [state('6-0', 'active')], '7-0', 'completed', false],
  ['a removal', [{ job: JOB, pos: '7-0', at: 0, kind: 'removed' } as JobEvent], '5-0', 'active', false],
] as const)('%s before the answer is judged with the answer', (_what, events, pos, at, goesOn) => {
  const line = open();
  line.ask();
  for (const event of events) line.hear(event);
  expect(line.isWatching).toBe(true);
  line.answer(pos, at);
  expect(line.isWatching).toBe(goesOn);
});

test('of two questions the last answer decides', () => {
  const line = open();
  line.ask();
  line.ask();
  line.answer('5-0', 'active');
  line.hear(state('7-0', 'completed'));
  expect(line.isWatching).toBe(true);
  line.answer('5-0', 'active');
  expect(line.isWatching).toBe(false);
});
