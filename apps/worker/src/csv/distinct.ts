const { clz32, imul } = Math;

/** 2^12 registers: 4 KB a column, and an estimate that is within about 2 %. */
const INDEX_BITS = 12;
const REGISTERS = 1 << INDEX_BITS;

/**
 * Counts different values in bounded memory: exactly, with how often each came, while they are few; by estimate
 * (HyperLogLog) once there are more than `limit`. The counts of values that came among the first `limit` stay exact.
 */
export class DistinctValues {
  readonly #limit: number;
  readonly #counts = new Map<string, number>();
  #registers: Uint8Array | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(value: string): void {
    const count = this.#counts.get(value);
    if (count !== undefined) this.#counts.set(value, count + 1);
    else if (!this.#registers && this.#counts.size < this.#limit) this.#counts.set(value, 1);
    else this.#estimate(value);
  }

  get exact(): boolean {
    return this.#registers === undefined;
  }

  get size(): number {
    return this.#registers ? Math.max(this.#limit + 1, Math.round(cardinality(this.#registers))) : this.#counts.size;
  }

  /** The most frequent values, the first of equals first. Where `exact` is false, values that came late may be missing. */
  top(count: number): { value: string; count: number }[] {
    const entries = [...this.#counts].map(([value, times]) => ({ value, count: times }));
    return entries.sort((a, b) => b.count - a.count).slice(0, count);
  }

  #estimate(value: string): void {
    if (!this.#registers) {
      this.#registers = new Uint8Array(REGISTERS);
      for (const known of this.#counts.keys()) register(this.#registers, known);
    }
    register(this.#registers, value);
  }
}

function register(registers: Uint8Array, value: string): void {
  const [index, bits] = hash(value);
  const at = index >>> (32 - INDEX_BITS);
  const rank = clz32(bits) + 1;
  if (rank > (registers[at] ?? 0)) registers[at] = rank;
}

/** The estimator of Flajolet and others (2007), with its correction for small counts. */
function cardinality(registers: Uint8Array): number {
  let sum = 0;
  let zeros = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) zeros++;
  }
  const estimate = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS * REGISTERS) / sum;
  return estimate <= 2.5 * REGISTERS && zeros > 0 ? REGISTERS * Math.log(REGISTERS / zeros) : estimate;
}

/** Two 32-bit hashes in one pass over the text; each ends in MurmurHash3's mixing step. */
function hash(text: string): [number, number] {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = imul(a ^ code, 0x01000193);
    b = imul(b ^ code, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return [mix(a ^ text.length), mix(b + a)];
}

function mix(hash: number): number {
  let h = hash;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
