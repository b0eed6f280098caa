import { PassThrough } from 'node:stream';
import { createConnections } from '../src/connections.ts';

const ARRIVING_MAX = 2000;

function add(connections: ReturnType<typeof createConnections>): PassThrough {
  const line = new PassThrough();
  connections.add(line);
  return line;
}

test('too many that have not got their first answer are refused; each answer makes room, and so does an end', () => {
  const connections = createConnections({ most: 10_000 });
  const lines = Array.from({ length: ARRIVING_MAX }, () => add(connections));
  expect(connections.refusal()).toEqual({ reason: 'busy', retryAfterS: 1 });
  connections.arrived(lines[0]!);
  connections.arrived(lines[0]!);
  expect(connections.refusal()).toBeUndefined();
  lines.push(add(connections));
  expect(connections.refusal()).toMatchObject({ reason: 'busy' });
  lines[1]?.emit('close');
  expect(connections.refusal()).toBeUndefined();
  for (const line of lines) line.emit('close');
});

test('one that says nothing for 5 s makes room and stays', () => {
  jest.useFakeTimers();
  const connections = createConnections({ most: 10_000 });
  for (let n = 0; n < ARRIVING_MAX; n += 1) add(connections);
  jest.advanceTimersByTime(5000);
  expect(connections.refusal()).toBeUndefined();
  expect(connections.size).toBe(ARRIVING_MAX);
  jest.useRealTimers();
});

test('a process that drains refuses everybody, full or not', async () => {
  const connections = createConnections({ most: 1 });
  const line = add(connections);
  expect(connections.refusal()).toEqual({ reason: 'full', retryAfterS: 5 });
  connections.drain();
  expect(connections.refusal()).toEqual({ reason: 'draining', retryAfterS: 1 });
  const gone = connections.gone(60_000);
  connections.cutOff();
  await gone;
  expect([connections.size, line.destroyed]).toEqual([0, true]);
});
