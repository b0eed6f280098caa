import { toScaling } from '@spillway/queue/rates';
import { decide, remember } from '../../apps/autoscaler/src/decide.ts';
import { Agenda } from '../scaling/agenda.mjs';
import { compare, toTable } from '../scaling/compare.mjs';
import { plot } from '../scaling/plot.mjs';
import { type House, type Plan, simulate } from '../scaling/simulation.mjs';
import { loadByMinute, spikyDay } from '../scaling/trace.mjs';

const CODE = { toScaling, decide, remember };
const MORNING = { seed: 7, hours: 2, bursts: 3 };
const HOUSE: House = { slotsPerWorker: 2, startUpS: 10, stopS: 5, intervalS: 5 };

test('things happen in the order of their times, and of their entry at the same time', () => {
  const agenda = new Agenda<string>();
  for (const [atS, what] of [
    [3, 'd'],
    [1, 'a'],
    [2, 'b'],
    [3, 'e'],
    [2, 'c'],
    [0.5, 'first'],
  ] as const)
    agenda.add(atS, what);
  const taken: string[] = [];
  while (agenda.nextS < Number.POSITIVE_INFINITY) taken.push(agenda.take());
  expect(taken).toEqual(['first', 'a', 'b', 'c', 'd', 'e']);
});

test('a day is the same for the same seed, in order, and another one for another seed', () => {
  const arrivals = spikyDay(MORNING);
  expect(spikyDay(MORNING)).toEqual(arrivals);
  expect(spikyDay({ ...MORNING, seed: 8 })).not.toEqual(arrivals);
  expect(arrivals.every(({ atS }, index) => atS >= (arrivals[index - 1]?.atS ?? 0) && atS < 7200)).toBe(true);
  const mean = arrivals.reduce((sum, { runS }) => sum + runS, 0) / arrivals.length;
  expect(mean).toBeGreaterThan(1.9);
  expect(mean).toBeLessThan(2.1);
});

test('jobs wait for the slots that there are', () => {
  const arrivals = [0, 0, 0, 1].map((atS) => ({ atS, runS: 4 }));
  const { waitS, ended, workerHours } = simulate(arrivals, { workers: 1 }, HOUSE);
  expect([...waitS]).toEqual([0, 0, 4, 3]);
  expect([...ended]).toEqual([1, 1, 1, 1]);
  expect(workerHours).toBeCloseTo(8 / 3600);
});

test('a new worker takes its time to start, and one that is stopped hands back what does not end', () => {
  const arrivals = [0, 0, 0, 0].map((atS) => ({ atS, runS: 30 }));
  // Two workers up to second 20, then one.
  const plan: Plan = { workers: 1, decide: ({ nowS }) => (nowS < 20 ? 2 : 1) };
  const { waitS, ended, handedBack, fleet } = simulate(arrivals, plan, HOUSE);
  expect([...waitS]).toEqual([0, 0, 10, 10]);
  expect(handedBack).toBe(2);
  expect([...ended]).toEqual([1, 1, 1, 1]);
  expect(fleet.slice(0, 4)).toEqual([
    { atS: 0, workers: 1 },
    { atS: 0, workers: 2 },
    { atS: 20, workers: 2 },
    { atS: 25, workers: 1 },
  ]);
});

test('over a spiky morning every job ends once, whoever decides, and the advice keeps most waits within the target for less', () => {
  const arrivals = spikyDay(MORNING);
  const rows = compare(arrivals, CODE);
  for (const { outcome } of rows) {
    expect(outcome.ended.every((times) => times === 1)).toBe(true);
    expect(outcome.waitS.every((waitS) => waitS >= 0)).toBe(true);
  }
  const row = (name: string) => rows.find((one) => one.name === name)!;
  const [follower, mean, peak] = [row('autoscaler'), row('fixed, mean load'), row('fixed, peak load')];
  expect(follower.withinTarget).toBeGreaterThan(0.9);
  expect(follower.withinTarget).toBeGreaterThan(mean.withinTarget);
  expect(follower.workerHours).toBeLessThan(peak.workerHours / 2);
  expect(row('autoscaler, cooldown of 1 minute').workerHours).toBeLessThan(follower.workerHours);
  expect(row('autoscaler, cooldown of 15 minutes').workerHours).toBeGreaterThan(follower.workerHours);
  expect(toTable(rows).split('\n')).toHaveLength(2 + rows.length);
  const picture = plot({ arrivals, load: loadByMinute(arrivals).map((slots) => slots / 10), rows });
  expect(picture).not.toMatch(/NaN|undefined|Infinity/);
  expect(picture.match(/<path class="line follow"/g)).toHaveLength(3);
});
