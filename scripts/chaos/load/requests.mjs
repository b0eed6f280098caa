import { between } from '../random.mjs';

/**
 * @typedef {'plain' | 'long' | 'delayed' | 'flaky' | 'failing' | 'cancel-waiting' | 'cancel-active'} Kind
 * @typedef {{ type: string, input: { key: string }, options?: object }} JobRequest
 * @typedef {object} Errand what a submitter has to get accepted
 * @property {string} key its Idempotency-Key
 * @property {Kind} kind
 * @property {JobRequest[]} jobs more than one are a batch
 * @property {boolean} repeat sent a second time after it was accepted, as by a client that lost the reply
 */

/** How often each kind comes. @type {[Kind, number][]} */
const SHARES = [
  ['plain', 0.66],
  ['long', 0.06],
  ['delayed', 0.1],
  ['flaky', 0.1],
  ['failing', 0.02],
  ['cancel-waiting', 0.04],
  ['cancel-active', 0.02],
];
const BATCH_SHARE = 0.03;
const BATCH_SIZE = 5;
const REPEAT_SHARE = 0.02;

const BACKOFF = { type: 'fixed', delayMs: 200 };

/**
 * The next errand: the same for the same numbers.
 * @param {import('../random.mjs').Random} random
 * @param {string} key
 * @returns {Errand}
 */
export function nextErrand(random, key) {
  const repeat = random() < REPEAT_SHARE;
  if (random() < BATCH_SHARE) {
    const jobs = Array.from({ length: BATCH_SIZE }, (_, n) => jobOf('plain', `${key}/${n}`, random));
    return { key, kind: 'plain', jobs, repeat };
  }
  const kind = chooseKind(random());
  return { key, kind, jobs: [jobOf(kind, key, random)], repeat };
}

/** @param {number} number in [0, 1) @returns {Kind} */
function chooseKind(number) {
  let sum = 0;
  for (const [kind, share] of SHARES) {
    sum += share;
    if (number < sum) return kind;
  }
  return 'plain';
}

/**
 * @param {Kind} kind
 * @param {string} key
 * @param {import('../random.mjs').Random} random
 * @returns {JobRequest}
 */
function jobOf(kind, key, random) {
  const deaf = random() < 0.5;
  const job = (/** @type {object} */ input, /** @type {object} */ options) => ({
    type: 'chaos.work',
    input: { key, workMs: between(random, 0, 30), steps: 1, failFirst: 0, deaf, ...input },
    options,
  });
  switch (kind) {
    case 'plain':
      return job({}, {});
    case 'long':
      return job({ workMs: between(random, 600, 2500), steps: 5 }, {});
    case 'delayed':
      return job({}, { delayMs: between(random, 200, 3000) });
    case 'flaky':
      return job({ failFirst: between(random, 1, 2) }, { attempts: 5, backoff: BACKOFF });
    case 'failing':
      return job({ failFirst: 99 }, { attempts: 2, backoff: BACKOFF });
    case 'cancel-waiting':
      return job({}, { delayMs: 8000 });
    case 'cancel-active':
      return job({ workMs: 3000, steps: 6 }, {});
  }
}
