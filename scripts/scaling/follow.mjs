/** @typedef {typeof import('../../apps/autoscaler/dist/decide.js')} Deciding */
/** @typedef {typeof import('@spillway/queue/rates')} Advising */

/**
 * @typedef {object} Rules
 * @property {import('../../apps/autoscaler/dist/decide.js').Limits} limits
 * @property {number} targetWaitMs
 * @property {number} slotsPerWorker
 */

/**
 * The plan of a fleet that follows the advice: what api advises and what the autoscaler decides, by the code that does so in
 * the house.
 * @param {Pick<Advising, 'toScaling'> & Pick<Deciding, 'decide' | 'remember'>} code
 * @param {Rules} rules
 * @returns {import('./simulation.mjs').Plan}
 */
export function followAdvice({ toScaling, decide, remember }, { limits, targetWaitMs, slotsPerWorker }) {
  /** @type {import('../../apps/autoscaler/dist/decide.js').Advice[]} */
  let history = [];
  return {
    workers: limits.min,
    decide({ nowS, backlog, active, alive, running, rates }) {
      const atMs = nowS * 1000;
      const line = { nowMs: atMs, backlog, active, paused: false, rates };
      const crew = { workers: alive, slots: alive * slotsPerWorker, types: /** @type {Set<string>} */ (new Set()) };
      const { advisedWorkers: workers } = toScaling('simulated', { line, crew }, { targetWaitMs, slotsPerWorker });
      history = remember(history, { atMs, workers }, limits);
      return decide(atMs, history, running, limits).workers;
    },
  };
}
