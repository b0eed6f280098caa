import type { JobEvent } from '@spillway/contracts';
import { SetFrame } from '../src/set-frame.ts';

const report = (job: string, pos: string, fraction: number): JobEvent => ({
  job,
  pos,
  at: 1,
  kind: 'report',
  progress: { fraction },
});
const active = (job: string, pos: string): JobEvent => ({ job, pos, at: 1, kind: 'state', state: 'active' });

test('a frame keeps only the latest progress of each job, behind what came before it', () => {
  const frame = new SetFrame();
  const events = [report('a', '1-0', 0.1), active('b', '2-0'), active('a', '3-0'), report('b', '4-0', 0.2)];
  for (const event of [...events, report('a', '5-0', 0.3), report('a', '6-0', 0.4)]) frame.push(event);
  expect(frame.take()).toEqual([events[1], events[2], events[3], report('a', '6-0', 0.4)]);
});

test('what was taken is not taken again', () => {
  const frame = new SetFrame();
  frame.push(report('a', '1-0', 0.1));
  frame.take();
  frame.push(report('a', '2-0', 0.2));
  expect(frame.take()).toEqual([report('a', '2-0', 0.2)]);
  expect(frame.take()).toEqual([]);
});
