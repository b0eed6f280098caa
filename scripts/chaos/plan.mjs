import { between, pick, seededRandom, shuffled } from './random.mjs';

/** @typedef {'worker' | 'api' | 'status' | 'redis' | 'line'} Role */

/**
 * What can break: whom it hits, and for how many milliseconds. A worker is frozen for longer than a lease and
 * its check take, so that its jobs are elsewhere when it goes on. A line that was silenced stays so: those at its ends have to notice.
 * @satisfies {Record<string, { role: Role, forMs: readonly [number, number] }>}
 */
export const FAULT_KINDS = /** @type {const} */ ({
  'worker-kill': { role: 'worker', forMs: [300, 2000] },
  'worker-stop': { role: 'worker', forMs: [0, 1000] },
  'api-kill': { role: 'api', forMs: [300, 2000] },
  'status-kill': { role: 'status', forMs: [300, 2000] },
  'redis-kill': { role: 'redis', forMs: [100, 2000] },
  cut: { role: 'line', forMs: [0, 1500] },
  'half-open': { role: 'line', forMs: [0, 0] },
  'worker-freeze': { role: 'worker', forMs: [14_000, 20_000] },
  'redis-freeze': { role: 'redis', forMs: [1000, 3000] },
});

/** @typedef {keyof typeof FAULT_KINDS} FaultKind */

/**
 * @typedef {object} Fault
 * @property {number} atMs from the first submit
 * @property {FaultKind} kind
 * @property {string} target name of a process or a line
 * @property {number} forMs until it is mended
 */

/** Shares of the time between two faults: the first comes early, and each a little before or after its time. */
const FIRST = 0.5;
const JITTER = 0.4;
/** A process that is started again needs a moment before it is worth killing. */
const RECOVERY_MS = 3000;

/**
 * What breaks when: the same for the same arguments. Every kind has had its turn before one comes again, and nothing is hit
 * while it is still down.
 * @param {{ seed: number, seconds: number, everyMs: number, kinds: readonly FaultKind[], targets: Record<Role, readonly string[]> }} setup
 * @returns {Fault[]} in the order of time
 */
export function planFaults({ seed, seconds, everyMs, kinds, targets }) {
  const random = seededRandom(`faults ${seed}`);
  /** @type {Map<string, number>} */
  const busyUntil = new Map();
  /** @type {Fault[]} */
  const plan = [];
  /** @type {FaultKind[]} */
  let bag = [];
  for (let turn = 0; (turn + 1) * everyMs <= seconds * 1000; turn++) {
    const atMs = Math.round((turn + FIRST + JITTER * (random() - 0.5)) * everyMs);
    if (bag.length === 0) bag = shuffled(random, kinds);
    const free = (/** @type {FaultKind} */ kind) =>
      targets[FAULT_KINDS[kind].role].filter((name) => (busyUntil.get(name) ?? 0) <= atMs);
    const isFree = (/** @type {FaultKind} */ kind) => free(kind).length > 0;
    const kind = bag.find(isFree) ?? shuffled(random, kinds).find(isFree);
    if (!kind) continue;
    bag = bag.filter((one) => one !== kind);
    const target = pick(random, free(kind));
    const [least, most] = FAULT_KINDS[kind].forMs;
    const forMs = between(random, least, most);
    busyUntil.set(target, atMs + forMs + RECOVERY_MS);
    plan.push({ atMs, kind, target, forMs });
  }
  return plan;
}
