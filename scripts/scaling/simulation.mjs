import { Agenda } from './agenda.mjs';
import { Meter } from './meter.mjs';

/** @typedef {import('./trace.mjs').Arrival} Arrival */

/**
 * What somebody sees who decides about the number of workers.
 * @typedef {object} Sight
 * @property {number} nowS
 * @property {number} backlog
 * @property {number} active
 * @property {number} alive workers that take jobs
 * @property {number} running those, and the ones that are still starting
 * @property {ReturnType<Meter['rates']>} rates
 */

/**
 * @typedef {object} Plan
 * @property {number} workers at the start, ready
 * @property {(sight: Sight) => number} [decide] how many there should be, asked every `intervalS`; absent for a fixed fleet
 */

/**
 * @typedef {object} House
 * @property {number} slotsPerWorker
 * @property {number} startUpS from the decision to the first job of a new worker
 * @property {number} stopS for how long a stopping worker lets its jobs run before it hands them back
 * @property {number} intervalS
 */

/** @typedef {{ bornS: number, goneS?: number, state: 'starting' | 'up' | 'stopping', running: Set<Run> }} Worker */
/** @typedef {{ job: number, worker: Worker, isOver: boolean }} Run */

/**
 * @typedef {object} Outcome
 * @property {Float64Array} waitS of each job, from when it came until its first start
 * @property {Uint8Array} ended how often each job ended
 * @property {number} handedBack runs that a stop cut short and that began anew elsewhere
 * @property {number} workerHours
 * @property {{ atS: number, workers: number }[]} fleet each change of the number of workers, those that stop included
 */

/**
 * Plays a trace of jobs through a fleet, event by event, in no time and without chance. Workers take the oldest job; one that
 * is stopped takes none any more, lets its jobs end for a while, and hands the others back to the head of the line, as the
 * real ones do.
 * @param {readonly Arrival[]} arrivals
 * @param {Plan} plan
 * @param {House} house
 * @returns {Outcome}
 */
export function simulate(arrivals, plan, house) {
  const waitS = new Float64Array(arrivals.length).fill(-1);
  const ended = new Uint8Array(arrivals.length);
  /** @type {Agenda<() => void>} */
  const agenda = new Agenda();
  const meter = new Meter();
  /** @type {Outcome['fleet']} */
  const fleet = [];
  /** @type {Set<Worker>} */
  const workers = new Set();
  /** @type {number[]} jobs that came back, the last one first in line */
  const returned = [];
  let nowS = 0;
  let came = 0;
  let taken = 0;
  let endedCount = 0;
  let handedBack = 0;
  let workerS = 0;

  const those = (/** @type {Worker['state']} */ state) => [...workers].filter((worker) => worker.state === state);
  const active = () => [...workers].reduce((sum, { running }) => sum + running.size, 0);
  const backlog = () => came - taken + returned.length;
  const noteFleet = () => fleet.push({ atS: nowS, workers: workers.size });

  /** @param {Worker['state']} state */
  function hire(state) {
    /** @type {Worker} */
    const worker = { bornS: nowS, state, running: new Set() };
    workers.add(worker);
    return worker;
  }

  /** @param {Worker} worker */
  function leave(worker) {
    workers.delete(worker);
    workerS += nowS - worker.bornS;
    noteFleet();
  }

  function takeJobs() {
    for (const worker of workers) {
      while (worker.state === 'up' && worker.running.size < house.slotsPerWorker && backlog() > 0) start(worker);
    }
  }

  /** @param {Worker} worker */
  function start(worker) {
    const job = returned.pop() ?? taken++;
    const run = { job, worker, isOver: false };
    if (waitS[job] < 0) waitS[job] = nowS - arrivals[job].atS;
    worker.running.add(run);
    meter.count('starts', nowS);
    agenda.add(nowS + arrivals[job].runS, () => end(run));
  }

  /** @param {Run} run */
  function end(run) {
    if (run.isOver) return;
    run.worker.running.delete(run);
    ended[run.job] += 1;
    endedCount += 1;
    meter.count('ends', nowS);
    meter.ran(arrivals[run.job].runS);
    if (run.worker.state === 'stopping' && run.worker.running.size === 0) leave(run.worker);
    takeJobs();
  }

  function grow() {
    const worker = hire('starting');
    agenda.add(nowS + house.startUpS, () => {
      if (worker.state === 'starting') worker.state = 'up';
      takeJobs();
    });
  }

  /** @param {Worker} worker */
  function stop(worker) {
    worker.state = 'stopping';
    if (worker.running.size === 0) return leave(worker);
    agenda.add(nowS + house.stopS, () => handBack(worker));
  }

  /** @param {Worker} worker */
  function handBack(worker) {
    if (!workers.has(worker)) return;
    for (const run of worker.running) {
      run.isOver = true;
      returned.push(run.job);
      handedBack += 1;
    }
    worker.running.clear();
    leave(worker);
    takeJobs();
  }

  /** @param {number} wanted */
  function scale(wanted) {
    const present = [...those('up'), ...those('starting')];
    for (let more = present.length; more < wanted; more++) grow();
    for (const worker of present.slice(wanted)) stop(worker);
    if (wanted !== present.length) noteFleet();
  }

  function look() {
    const alive = those('up').length;
    const running = alive + those('starting').length;
    scale(
      plan.decide?.({
        nowS,
        backlog: backlog(),
        active: active(),
        alive,
        running,
        rates: meter.rates(nowS, active()),
      }) ?? running,
    );
    if (endedCount < arrivals.length) agenda.add(nowS + house.intervalS, look);
  }

  for (let count = 0; count < plan.workers; count++) hire('up');
  noteFleet();
  if (plan.decide) look();
  while (endedCount < arrivals.length) {
    const comesS = arrivals[came]?.atS ?? Number.POSITIVE_INFINITY;
    if (comesS <= agenda.nextS) {
      nowS = comesS;
      came += 1;
      meter.count('arrivals', nowS);
      takeJobs();
    } else {
      nowS = agenda.nextS;
      agenda.take()();
    }
  }
  for (const { bornS } of workers) workerS += nowS - bornS;
  return { waitS, ended, handedBack, workerHours: workerS / 3600, fleet };
}
