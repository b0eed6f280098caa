import type { QueueScaling } from '@spillway/contracts';
import { figuresOf } from '../src/advice.ts';

function queue(name: string, advisedWorkers: number, workers: number): QueueScaling {
  const still = {
    backlog: 0,
    active: 0,
    oldestWaitMs: 0,
    arrivalsPerSecond: 0,
    startsPerSecond: 0,
    servicePerSecond: 0,
  };
  return { name, ...still, utilisation: 0, slots: workers * 10, workers, advisedWorkers, paused: false };
}

const REPLY = { targetWaitMs: 10_000, queues: [queue('demo', 3, 2), queue('images', 7, 2), queue('text', 1, 1)] };

test('the queue that needs most decides, as each worker has slots for all of them', () => {
  expect(figuresOf(REPLY, [])).toEqual({ advised: 7, alive: 2 });
});

test('only the queues that are named count', () => {
  expect(figuresOf(REPLY, ['demo', 'text'])).toEqual({ advised: 3, alive: 2 });
});

test('a house without queues needs no workers', () => {
  expect(figuresOf({ targetWaitMs: 10_000, queues: [] }, [])).toEqual({ advised: 0, alive: 0 });
});

test('a queue that api does not know is named', () => {
  expect(() => figuresOf(REPLY, ['demo', 'imgaes'])).toThrow('expected queues that api knows, got imgaes');
});

test.each([[{}], [null], [{ targetWaitMs: 1, queues: [{ name: 'demo' }] }], ['<html>']])('%j is no advice', (reply) => {
  expect(() => figuresOf(reply, [])).toThrow('expected the reply of /v1/scaling');
});
