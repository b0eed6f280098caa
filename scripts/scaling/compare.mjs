import { percentile } from '../chaos/percentile.mjs';
import { followAdvice } from './follow.mjs';
import { simulate } from './simulation.mjs';
import { loadByMinute } from './trace.mjs';

/** Ten seconds for a container and its process, as a new worker took on a machine with two cores; stops as docker-compose.yml has them. */
export const HOUSE = { slotsPerWorker: 10, startUpS: 10, stopS: 45, intervalS: 5 };
export const TARGET_WAIT_MS = 10_000;
/** The autoscaler's defaults, with room for the bursts. */
export const LIMITS = { min: 1, max: 30, cooldownMs: 300_000, staleMs: 15_000 };

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} workers
 * @property {number} workerHours
 * @property {{ p50: number, p95: number, p99: number, max: number }} waitS
 * @property {number} withinTarget share of the jobs
 * @property {import('./simulation.mjs').Outcome} outcome
 */

/**
 * The same day with workers that follow the advice, and with fixed fleets.
 * @param {readonly import('./trace.mjs').Arrival[]} arrivals
 * @param {Parameters<typeof followAdvice>[0]} code
 * @returns {Row[]}
 */
export function compare(arrivals, code) {
  const load = loadByMinute(arrivals);
  const mean = load.reduce((sum, slots) => sum + slots, 0) / load.length;
  const fleets = [
    ['fixed, mean load', mean],
    ['fixed, p95 of the load', percentile(load, 0.95) ?? 0],
    ['fixed, peak load', Math.max(...load)],
  ];
  const follow = (/** @type {number} */ cooldownMs) =>
    followAdvice(code, {
      limits: { ...LIMITS, cooldownMs },
      targetWaitMs: TARGET_WAIT_MS,
      slotsPerWorker: HOUSE.slotsPerWorker,
    });
  return [
    toRow('autoscaler', simulate(arrivals, follow(LIMITS.cooldownMs), HOUSE)),
    toRow('autoscaler, cooldown of 1 minute', simulate(arrivals, follow(60_000), HOUSE)),
    toRow('autoscaler, cooldown of 15 minutes', simulate(arrivals, follow(900_000), HOUSE)),
    ...fleets.map(([name, slots]) => {
      const workers = Math.ceil(/** @type {number} */ (slots) / HOUSE.slotsPerWorker);
      return toRow(`${name}`, simulate(arrivals, { workers }, HOUSE));
    }),
  ];
}

/** @param {string} name @param {import('./simulation.mjs').Outcome} outcome @returns {Row} */
function toRow(name, outcome) {
  const sorted = outcome.waitS.slice().sort();
  const at = (/** @type {number} */ share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  const counts = outcome.fleet.map(({ workers }) => workers);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return {
    name,
    workers: least === most ? `${most}` : `${least}–${most}`,
    workerHours: outcome.workerHours,
    waitS: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
    withinTarget: sorted.filter((waitS) => waitS * 1000 <= TARGET_WAIT_MS).length / Math.max(1, sorted.length),
    outcome,
  };
}

/** A table in Markdown, as docs/scaling.md shows it. @param {Row[]} rows */
export function toTable(rows) {
  const seconds = (/** @type {number} */ waitS) => (waitS < 100 ? `${waitS.toFixed(1)} s` : `${Math.round(waitS)} s`);
  const lines = rows.map(({ name, workers, workerHours, waitS, withinTarget }) =>
    [
      name,
      workers,
      workerHours.toFixed(0),
      seconds(waitS.p50),
      seconds(waitS.p95),
      seconds(waitS.p99),
      seconds(waitS.max),
      `${(100 * withinTarget).toFixed(1)} %`,
    ].join(' | '),
  );
  return [
    '| fleet | workers | worker-hours | wait p50 | p95 | p99 | longest | within 10 s |',
    '|---|---|---|---|---|---|---|---|',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n');
}
