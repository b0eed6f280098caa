import { until } from '@spillway/testkit';
import { openEngine } from '../../src/docker/engine.ts';
import { createFleet } from '../../src/docker/fleet.ts';
import { type EngineStand, openEngineStand } from '../engine-stand.ts';

let stand: EngineStand;
beforeEach(async () => {
  stand = await openEngineStand();
});
afterEach(() => stand[Symbol.asyncDispose]());

function fleet(max = 5) {
  const engine = openEngine(stand, { autoscalerProject: 'house', autoscalerService: 'worker' });
  const logger = { info: () => undefined, warn: () => undefined } as never;
  return createFleet({ engine, max, logger });
}

/** Numbers and states of all workers, by their numbers. */
function workers(): string[] {
  const ours = stand.containers.filter(({ Name }) => Name.startsWith('/house-worker-'));
  return ours.map(({ Name, State }) => `${Name.slice(14)} ${State.Status}`).sort();
}

test('more workers get the next free numbers and run', async () => {
  stand.add('worker', 1);
  stand.add('worker', 3);
  const scaled = fleet();
  expect(await scaled.count()).toBe(2);
  await scaled.scale(4);
  expect(workers()).toEqual(['1 running', '2 running', '3 running', '4 running']);
});

test('fewer workers: the newest are stopped and removed, containers of other services are left alone', async () => {
  for (const number of [1, 2, 3]) stand.add('worker', number);
  stand.add('redis', 1);
  await fleet().scale(1);
  await until('two workers to be gone', () => workers().length === 1);
  expect(workers()).toEqual(['1 running']);
  expect(stand.containers).toHaveLength(2);
  expect(stand.heard.filter((request) => /kill|force|t=/.test(request))).toEqual([]);
});

test('a worker that hands back no longer counts, is told once only, and does not keep others from starting', async () => {
  for (const number of [1, 2]) stand.add('worker', number);
  const held = stand.holdStops();
  const scaled = fleet();
  await scaled.scale(1);
  expect(await scaled.count()).toBe(1);
  await scaled.scale(1);
  await scaled.scale(2);
  expect(workers()).toEqual(['1 running', '2 running', '3 running']);
  held.release();
  await until('the stopped one to be gone', () => workers().length === 2);
  expect(workers()).toEqual(['1 running', '3 running']);
  expect(stand.heard.filter((request) => request.endsWith('/stop'))).toHaveLength(1);
});

test('workers that were stopped by hand are started before new ones are made', async () => {
  stand.add('worker', 1);
  stand.add('worker', 2, { State: { Status: 'exited' } });
  await fleet().scale(3);
  expect(workers()).toEqual(['1 running', '2 running', '3 running']);
});

test('no number above the most is given, also while some hand back', async () => {
  for (const number of [1, 2, 3]) stand.add('worker', number);
  const held = stand.holdStops();
  const scaled = fleet(3);
  await scaled.scale(2);
  await scaled.scale(3);
  expect(workers()).toEqual(['1 running', '2 running', '3 running']);
  held.release();
  await until('the stopped one to be gone', () => workers().length === 2);
  await scaled.scale(3);
  expect(workers()).toEqual(['1 running', '2 running', '3 running']);
});

test('a service without any container has nothing to clone, and says so', async () => {
  await expect(fleet().scale(1)).rejects.toThrow('expected a container of the service to clone, got none');
});
