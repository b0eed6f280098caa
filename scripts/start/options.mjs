import { parseArgs } from 'node:util';
import { Problem } from '../say.mjs';

export const USAGE = `Usage: npm start -- [options]

Starts the api, the status service and the workers, with a Redis of their own unless one is given.

  --port N       port of the page and the API (default 3000); the status service takes the next one
  --workers N    how many worker processes (default 1)
  --redis URL    use this Redis, e.g. redis://127.0.0.1:6379 (also: REDIS_URL)
  --watch        rebuild and restart when a source file changes (npm run dev)
  --help         this text

Environment: every setting of the services (see docs/operations.md) is passed on to them;
SPILLWAY_DIR moves the folder that holds the data (default .spillway).
`;

/**
 * @typedef {object} StartOptions
 * @property {number} port of the api; 0 for any free one
 * @property {number | undefined} statusPort undefined for the one after the api's
 * @property {number} workers
 * @property {string | undefined} redisUrl undefined to start one
 * @property {boolean} watch
 * @property {boolean} help
 */

/**
 * @param {string[]} argv
 * @param {NodeJS.ProcessEnv} env the command line wins over it
 * @returns {StartOptions}
 * @throws {Problem} with exit code 2, naming the option, what was expected and what came
 */
export function parseOptions(argv, env) {
  const values = parseWords(argv);
  const port = values.port ?? env.SPILLWAY_PORT;
  const statusPort = env.SPILLWAY_STATUS_PORT;
  return {
    port: port ? wholeNumber('--port', port, 0, 65_534) : 3000,
    statusPort: statusPort ? wholeNumber('SPILLWAY_STATUS_PORT', statusPort, 0, 65_535) : undefined,
    workers: values.workers ? wholeNumber('--workers', values.workers, 1, 64) : 1,
    redisUrl: values.redis ?? (env.REDIS_URL || undefined),
    watch: values.watch ?? false,
    help: values.help ?? false,
  };
}

/** @param {string[]} argv */
function parseWords(argv) {
  try {
    return parseArgs({
      args: argv,
      options: {
        port: { type: 'string' },
        workers: { type: 'string' },
        redis: { type: 'string' },
        watch: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new Problem(`${/** @type {Error} */ (error).message}\n\n${USAGE}`, 2);
  }
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
