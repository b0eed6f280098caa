import { parseArgs } from 'node:util';
import { Problem, report } from '../say.mjs';
import { makeKey, SCOPES } from './make-key.mjs';

const USAGE = `Usage: npm run key -- [options]

Makes an API key. The key is printed once and stored nowhere; SPILLWAY_KEYS holds only its hash.

  --name NAME      who the key is for; shown in logs (default: default)
  --scopes A,B     what it may do, out of ${SCOPES.join(', ')} (default: submit,read)
                   admin includes the others
  --help           this text
`;

/**
 * `npm run key`. Owns the exit code.
 * @param {string[]} argv
 */
export function printKey(argv) {
  try {
    const { name, scopes, help } = parseOptions(argv);
    process.stdout.write(help ? USAGE : describe(makeKey({ name, scopes })));
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** @param {ReturnType<typeof makeKey>} made */
function describe({ key, entry }) {
  return `
The key, for whoever calls (Authorization: Bearer <key>). It is shown this once:

  ${key}

Its entry for SPILLWAY_KEYS, or for the file that SPILLWAY_KEYS_FILE names; several are separated by commas or lines:

  ${entry}

`;
}

/**
 * @param {string[]} argv
 * @throws {Problem} with exit code 2
 */
function parseOptions(argv) {
  const { name = 'default', scopes = 'submit,read', help = false } = parseWords(argv);
  if (!/^[\w-]{1,64}$/.test(name))
    throw new Problem(`--name: expected 1 to 64 letters, digits, _ and -, got ${JSON.stringify(name)}.`, 2);
  const wanted = scopes.split(/[,+\s]+/).filter(Boolean);
  const unknown = wanted.filter((scope) => !SCOPES.includes(scope));
  if (unknown.length > 0 || wanted.length === 0)
    throw new Problem(`--scopes: expected scopes out of ${SCOPES.join(', ')}, got ${JSON.stringify(scopes)}.`, 2);
  return { name, scopes: [...new Set(wanted)], help };
}

/** @param {string[]} argv */
function parseWords(argv) {
  try {
    return parseArgs({
      args: argv,
      options: {
        name: { type: 'string' },
        scopes: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new Problem(`${/** @type {Error} */ (error).message}\n\n${USAGE}`, 2);
  }
}
