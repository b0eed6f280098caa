import { parseArgs } from 'node:util';
import { Problem } from '../say.mjs';
import { FAULT_KINDS } from './plan.mjs';

export const USAGE = `Usage: npm run chaos -- [options]

Submits jobs through the real API while processes are killed and frozen, Redis is killed and connections break, and
then holds what was accepted against what happened. Everything runs on this machine, against a Redis of its own.

  --seconds N     how long jobs are submitted (default 60; 5 to 3600)
  --rate N        jobs per second (default 200; 1 to 5000)
  --seed N        decides about jobs and faults (default: a random one, which is printed)
  --every N       seconds from one fault to the next (default 5)
  --faults A,B    only these kinds: ${Object.keys(FAULT_KINDS).join(', ')}
  --workers N     worker processes (default 3)
  --without-keys  submit without Idempotency-Key, to see that the accountant notices
  --json          the table as JSON on the standard output (run npm with --silent then)
  --help          this text

Exit code 0 when every promise was kept, 1 when one was broken or the run itself failed, 2 for a wrong option.
`;

/**
 * @typedef {object} ChaosOptions
 * @property {number} seconds
 * @property {number} rate jobs per second
 * @property {number} seed
 * @property {number} everyMs from one fault to the next
 * @property {import('./plan.mjs').FaultKind[]} kinds
 * @property {number} workers
 * @property {boolean} withKeys
 * @property {boolean} json
 * @property {boolean} help
 */

/**
 * @param {string[]} argv
 * @returns {ChaosOptions}
 * @throws {Problem} with exit code 2, naming the option, what was expected and what came
 */
export function parseOptions(argv) {
  const values = parseWords(argv);
  return {
    seconds: wholeNumber('--seconds', values.seconds ?? '60', 5, 3600),
    rate: wholeNumber('--rate', values.rate ?? '200', 1, 5000),
    seed: values.seed === undefined ? randomSeed() : wholeNumber('--seed', values.seed, 0, 0xffff_ffff),
    everyMs: wholeNumber('--every', values.every ?? '5', 1, 600) * 1000,
    kinds: parseKinds(values.faults),
    workers: wholeNumber('--workers', values.workers ?? '3', 1, 16),
    withKeys: !values['without-keys'],
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

/** @param {string[]} argv */
function parseWords(argv) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean' });
  try {
    return parseArgs({
      args: argv,
      options: {
        ...{ seconds: text, rate: text, seed: text, every: text, faults: text, workers: text },
        ...{ 'without-keys': flag, json: flag, help: { ...flag, short: 'h' } },
      },
    }).values;
  } catch (error) {
    throw new Problem(`${/** @type {Error} */ (error).message}\n\n${USAGE}`, 2);
  }
}

/** @param {string | undefined} list */
function parseKinds(list) {
  const known = /** @type {import('./plan.mjs').FaultKind[]} */ (Object.keys(FAULT_KINDS));
  if (list === undefined) return known;
  const wanted = list.split(',').filter(Boolean);
  const strange = wanted.find((kind) => !known.some((one) => one === kind));
  if (strange) throw new Problem(`--faults: expected any of ${known.join(', ')}, got ${JSON.stringify(strange)}.`, 2);
  return known.filter((kind) => wanted.includes(kind));
}

function randomSeed() {
  return Math.floor(Math.random() * 1_000_000);
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function wholeNumber(name, text, least, most) {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Problem(`${name}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}.`, 2);
}
