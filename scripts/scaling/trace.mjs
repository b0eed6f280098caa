import { between, seededRandom } from '../chaos/random.mjs';

/** @typedef {{ atS: number, runS: number }} Arrival a job that comes, and how long it will run */

/**
 * @typedef {object} Day
 * @property {number} seed
 * @property {number} hours
 * @property {number} bursts how many
 */

/** Jobs a second at four in the morning, and what four in the afternoon has on top. */
const NIGHT_PER_S = 2;
const NOON_PER_S = 10;
/** What a burst brings on top: a mailing, an import, a customer who comes with everything at once. */
const BURST_PER_S = { least: 10, most: 50 };
const BURST_S = { least: 60, most: 300 };
/** Log-normal run times: half are below 1.45 s, the mean is 2 s, one in a hundred takes more than 9 s. */
const RUN_MEAN_S = 2;
const RUN_SIGMA = 0.8;

/**
 * A day of jobs: a Poisson process whose rate follows the time of day, with bursts at random times. The same day for the
 * same seed. Pure.
 * @param {Day} day
 * @returns {Arrival[]} in order
 */
export function spikyDay({ seed, hours, bursts: count }) {
  const random = seededRandom(seed);
  const lengthS = hours * 3600;
  const bursts = Array.from({ length: count }, () => burst(random, lengthS));
  const mostPerS = NIGHT_PER_S + NOON_PER_S + bursts.reduce((sum, { perS }) => sum + perS, 0);
  /** @type {Arrival[]} */
  const arrivals = [];
  // Thinning: draw at the highest rate that there could be, keep each with the share that its moment has of it.
  for (let atS = gap(random, mostPerS); atS < lengthS; atS += gap(random, mostPerS)) {
    if (random() * mostPerS < ratePerS(atS, bursts)) arrivals.push({ atS, runS: runTime(random) });
  }
  return arrivals;
}

/** @param {import('../chaos/random.mjs').Random} random @param {number} lengthS */
function burst(random, lengthS) {
  const atS = random() * lengthS;
  return {
    atS,
    endS: atS + between(random, BURST_S.least, BURST_S.most),
    perS: between(random, BURST_PER_S.least, BURST_PER_S.most),
  };
}

/** @param {number} atS @param {ReturnType<typeof burst>[]} bursts */
function ratePerS(atS, bursts) {
  // 0 at 4:00, 1 at 16:00; squared, as quiet hours are longer than busy ones.
  const day = (1 - Math.cos(((atS / 3600 - 4) / 24) * 2 * Math.PI)) / 2;
  const extra = bursts.reduce((sum, one) => (atS >= one.atS && atS < one.endS ? sum + one.perS : sum), 0);
  return NIGHT_PER_S + NOON_PER_S * day ** 2 + extra;
}

/** @param {import('../chaos/random.mjs').Random} random @param {number} perS */
function gap(random, perS) {
  return -Math.log(1 - random()) / perS;
}

/** @param {import('../chaos/random.mjs').Random} random */
function runTime(random) {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return RUN_MEAN_S * Math.exp(RUN_SIGMA * normal - RUN_SIGMA ** 2 / 2);
}

/**
 * Slots that the jobs of each minute keep busy: what came, times how long it runs. Pure.
 * @param {readonly Arrival[]} arrivals
 */
export function loadByMinute(arrivals) {
  /** @type {number[]} */
  const minutes = Array(Math.ceil((arrivals.at(-1)?.atS ?? 0) / 60)).fill(0);
  for (const { atS, runS } of arrivals) minutes[Math.floor(atS / 60)] += runS / 60;
  return minutes;
}
