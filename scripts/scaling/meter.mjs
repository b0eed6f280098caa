/** As in packages/queue: rates of ten seconds, run times of the latest 200 jobs. */
const WINDOW_S = 10;
const RUNS = 200;

/** What the house would have measured of the queue: the figures that the advice is made of. */
export class Meter {
  /** @type {Map<number, { arrivals: number, starts: number, ends: number }>} */ #seconds = new Map();
  /** @type {number[]} */ #runs = [];

  /** @param {'arrivals' | 'starts' | 'ends'} what @param {number} atS */
  count(what, atS) {
    const second = Math.floor(atS);
    const counts = this.#seconds.get(second) ?? { arrivals: 0, starts: 0, ends: 0 };
    counts[what] += 1;
    this.#seconds.set(second, counts);
  }

  /** @param {number} runS */
  ran(runS) {
    this.#runs.push(runS * 1000);
    if (this.#runs.length > RUNS) this.#runs.shift();
  }

  /** @param {number} nowS @param {number} active */
  rates(nowS, active) {
    const full = Math.floor(nowS);
    for (const second of this.#seconds.keys()) if (second < full - WINDOW_S) this.#seconds.delete(second);
    const seconds = [...this.#seconds].filter(([second]) => second < full).map(([, counts]) => counts);
    const perSecond = (/** @type {'arrivals' | 'starts' | 'ends'} */ what) =>
      seconds.reduce((sum, counts) => sum + counts[what], 0) / WINDOW_S;
    const meanMs = this.#runs.reduce((sum, ms) => sum + ms, 0) / this.#runs.length;
    return {
      arrivalsPerSecond: perSecond('arrivals'),
      startsPerSecond: perSecond('starts'),
      endsPerSecond: perSecond('ends'),
      busySlots: active,
      ...(this.#runs.length > 0 && { run: { meanMs, deviationMs: 0 } }),
    };
  }
}
