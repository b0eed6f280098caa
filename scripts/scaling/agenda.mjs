/**
 * What is going to happen, the earliest first (a binary heap). Of the same moment, in the order of entry.
 * @template T
 */
export class Agenda {
  /** @type {{ atS: number, order: number, what: T }[]} */ #heap = [];
  #entered = 0;

  /** When the next thing happens; infinity where there is nothing. */
  get nextS() {
    return this.#heap[0]?.atS ?? Number.POSITIVE_INFINITY;
  }

  /** @param {number} atS @param {T} what */
  add(atS, what) {
    const heap = this.#heap;
    heap.push({ atS, order: this.#entered++, what });
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the next thing out. Only where there is one. @returns {T} */
  take() {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    const { what } = /** @type {{ what: T }} */ (heap.pop());
    for (let at = 0; ; ) {
      const first = [2 * at + 1, 2 * at + 2].filter((child) => child < heap.length && this.#isBefore(child, at));
      if (first.length === 0) return what;
      const child = first.length === 2 && this.#isBefore(first[1], first[0]) ? first[1] : first[0];
      this.#swap(at, child);
      at = child;
    }
  }

  /** @param {number} one @param {number} other */
  #isBefore(one, other) {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    return a.atS === b.atS ? a.order < b.order : a.atS < b.atS;
  }

  /** @param {number} one @param {number} other */
  #swap(one, other) {
    [this.#heap[one], this.#heap[other]] = [this.#heap[other], this.#heap[one]];
  }
}
