import { type JobEvent, jobRoom } from '@spillway/contracts';
import { until } from '@spillway/testkit';
import { createMetrics } from '../src/metrics.ts';
import { createRelay } from '../src/relay.ts';
import { createSlowReaders } from '../src/slow-readers.ts';

function listen(job = 'a') {
  const metrics = createMetrics();
  const relay = createRelay({ metrics, slowReaders: createSlowReaders(metrics) });
  const frames: JobEvent[][] = [];
  const resyncs: string[] = [];
  const listener = { frame: (events: JobEvent[]) => frames.push(events), resync: (why: string) => resyncs.push(why) };
  const release = relay.subscribe(jobRoom(job), listener);
  return { relay, frames, resyncs, release };
}

let seq = 0;
function event(change: object, job = 'a'): JobEvent {
  seq += 1;
  return { job, pos: `1-${seq}`, at: 1, ...change } as JobEvent;
}
const progress = (fraction: number) => event({ kind: 'report', progress: { fraction } });
const COMPLETED = { kind: 'state', state: 'completed' };

test('events of a job are gathered into one frame, in which only the last of successive progress values is kept', async () => {
  const { relay, frames } = listen();
  const line = event({ kind: 'report', progress: { fraction: 0.3 }, log: [{ n: 0, line: 'x' }] });
  const [p1, p2, p3, p4] = [progress(0.1), progress(0.2), progress(0.4), progress(0.5)];
  relay.onEvents([p1, p2]);
  relay.onEvents([line, p3, p4, event({ kind: 'state', state: 'active' }, 'b')]);
  expect(frames).toEqual([]);
  await until('a frame', () => frames.length > 0);
  expect(frames).toEqual([[p2, line, p4]]);
});

test.each([COMPLETED, { kind: 'state', state: 'cancelled' }, { kind: 'removed' }])(
  'the end %j goes out at once, with what was gathered before it',
  (end) => {
    const { relay, frames } = listen();
    const [before, last] = [progress(0.9), event(end)];
    relay.onEvents([before]);
    relay.onEvents([last]);
    expect(frames).toEqual([[before, last]]);
  },
);

test('a gap sends what came before it first, then the resync', () => {
  const { relay, frames, resyncs } = listen();
  const before = progress(0.5);
  relay.onEvents([before]);
  relay.onGap(['b', 'a'], 'history was trimmed');
  expect([frames, resyncs]).toEqual([[[before]], ['history was trimmed']]);
});

test('a listener hears nothing after its release, and others still do', () => {
  const { relay, frames, release } = listen();
  const others: JobEvent[][] = [];
  relay.subscribe(jobRoom('a'), { frame: (events) => others.push(events), resync: () => undefined });
  release();
  release();
  const last = event(COMPLETED);
  relay.onEvents([last]);
  expect([frames, others]).toEqual([[], [[last]]]);
});
