import { between, pick } from '../random.mjs';

/**
 * @typedef {keyof typeof SHARES} Kind
 * @typedef {{ type: string, input: { key: string, [field: string]: unknown }, options?: object }} JobRequest
 * @typedef {JobRequest & { children?: FlowRequest[], onFailure?: 'ignore' }} FlowRequest
 * @typedef {object} Errand what a submitter has to get accepted
 * @property {string} key its Idempotency-Key
 * @property {Kind} kind
 * @property {'job' | 'batch' | 'deduped' | 'flow'} as how the jobs are sent: one, together, each by itself at the same
 *   time, or the first as the root of a tree
 * @property {FlowRequest[]} jobs
 * @property {number} size jobs that come of it
 * @property {boolean} repeat sent a second time after it was accepted, as by a client that lost the reply
 */

/** How often each kind comes. */
const SHARES = {
  plain: 0.34,
  many: 0.08,
  long: 0.05,
  delayed: 0.1,
  flaky: 0.08,
  failing: 0.02,
  'cancel-waiting': 0.04,
  'cancel-active': 0.02,
  retried: 0.02,
  stepwise: 0.03,
  thread: 0.01,
  process: 0.01,
  grouped: 0.08,
  together: 0.05,
  deduped: 0.03,
  flow: 0.03,
  'cancel-flow': 0.01,
};
/** Most jobs of a steady load come in batches: a submitter shares two cores with what it loads. */
const MANY = 50;
const TOGETHER = 5;
const DEDUPED = 3;
const FLOW = 5;
const CANCELLED_FLOW = 3;
const REPEAT_SHARE = 0.05;
/** One has most of the jobs, as a customer whose flood must not be felt by others. */
const GROUPS = ['flood', 'flood', 'flood', 'calm', 'quiet'];

const BACKOFF = { type: 'fixed', delayMs: 200 };
/** Long enough that a cancel finds it waiting, unless everything stands still. */
export const CANCEL_DELAY_MS = 8000;

/**
 * The next errand: the same for the same numbers.
 * @param {import('../random.mjs').Random} random
 * @param {string} key
 * @returns {Errand}
 */
export function nextErrand(random, key) {
  const repeat = random() < REPEAT_SHARE;
  const kind = chooseKind(random());
  const errand = (/** @type {Errand['as']} */ as, /** @type {FlowRequest[]} */ jobs, size = jobs.length) => ({
    key,
    kind,
    as,
    jobs,
    size,
    repeat,
  });
  const several = (/** @type {number} */ count) =>
    Array.from({ length: count }, (_, n) => jobOf(kind, `${key}/${n}`, key, random));
  switch (kind) {
    case 'many':
      return errand('batch', several(MANY));
    case 'together':
      return errand('batch', several(TOGETHER));
    case 'deduped':
      return errand('deduped', several(DEDUPED), 1);
    case 'flow':
      return errand('flow', [flowOf(key, random)], FLOW);
    case 'cancel-flow':
      return errand('flow', [cancelledFlowOf(key, random)], CANCELLED_FLOW);
    default:
      return errand('job', [jobOf(kind, key, key, random)]);
  }
}

/** @param {number} number in [0, 1) @returns {Kind} */
function chooseKind(number) {
  let sum = 0;
  for (const [kind, share] of Object.entries(SHARES)) {
    sum += share;
    if (number < sum) return /** @type {Kind} */ (kind);
  }
  return 'plain';
}

/**
 * @param {Kind} kind
 * @param {string} key
 * @param {string} errandKey
 * @param {import('../random.mjs').Random} random
 * @returns {JobRequest}
 */
function jobOf(kind, key, errandKey, random) {
  const deaf = random() < 0.5;
  const job = (/** @type {object} */ input, /** @type {object} */ options, type = 'work') => ({
    type: `chaos.${type}`,
    input: { key, workMs: between(random, 0, 30), steps: 1, failFirst: 0, deaf, ...input },
    options,
  });
  switch (kind) {
    case 'many':
      return job({ workMs: 0, steps: 0 }, {});
    case 'long':
      return job({ workMs: between(random, 600, 2500), steps: 5 }, {});
    case 'delayed':
      return job({}, { delayMs: between(random, 200, 3000) });
    case 'flaky':
      return job({ failFirst: between(random, 1, 2) }, { attempts: 5, backoff: BACKOFF });
    case 'failing':
      return job({ failFirst: 99 }, { attempts: 2, backoff: BACKOFF });
    case 'cancel-waiting':
      return job({}, { delayMs: CANCEL_DELAY_MS });
    case 'cancel-active':
      return job({ workMs: 3000, steps: 6 }, {});
    case 'retried':
      return job({ failFirst: 1 }, { attempts: 1 });
    case 'stepwise': {
      const input = { key, steps: 3, workMs: between(random, 20, 300), failFirst: between(random, 0, 1) };
      return { type: 'chaos.stepwise', input, options: { attempts: 3, backoff: BACKOFF } };
    }
    case 'thread':
    case 'process':
      return job({ workMs: between(random, 20, 600), steps: 3 }, {}, kind);
    case 'grouped': {
      const group = pick(random, GROUPS);
      const failFirst = random() < 0.1 ? 1 : 0;
      const input = { workMs: between(random, 50, 150), group, failFirst };
      return job(input, { group, attempts: 3, backoff: BACKOFF }, 'grouped');
    }
    case 'together':
      return job({ failFirst: random() < 0.1 ? 1 : 0 }, { attempts: 3, backoff: BACKOFF }, 'together');
    case 'deduped':
      return job({ dedupe: errandKey }, { delayMs: 500, dedupe: { key: errandKey } });
    default:
      return job({}, {});
  }
}

/** Two levels; of the children one fails, and is not needed. @param {string} key @param {import('../random.mjs').Random} random */
function flowOf(key, random) {
  const leaf = (/** @type {number} */ n) => jobOf('plain', `${key}/${n}`, key, random);
  const parent = (/** @type {number} */ n, /** @type {FlowRequest[]} */ children) => ({
    type: 'chaos.parent',
    input: { key: `${key}/${n}` },
    children,
  });
  const failing = { ...jobOf('failing', `${key}/4`, key, random), onFailure: /** @type {const} */ ('ignore') };
  return parent(0, [leaf(1), parent(2, [leaf(3)]), failing]);
}

/** @param {string} key @param {import('../random.mjs').Random} random @returns {FlowRequest} */
function cancelledFlowOf(key, random) {
  const children = [1, 2].map((n) => jobOf('cancel-waiting', `${key}/${n}`, key, random));
  return { type: 'chaos.parent', input: { key: `${key}/0` }, children };
}
