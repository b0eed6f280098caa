import { Problem } from '../say.mjs';
import { connectTo } from './resp.mjs';
import { isSupportedVersion, OLDEST_VERSION } from './version.mjs';

const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Looks at a Redis that somebody else runs.
 * @param {string} address
 * @returns {Promise<{ version: string, warning?: string }>} `warning` when its settings may lose jobs
 * @throws {Problem} when the address is malformed, nothing answers, the login is refused, or it is too old
 */
export async function examineRedis(address) {
  const shown = withoutPassword(address);
  const info = await askInfo(address, shown);
  const version = info.get('redis_version');
  if (!version) throw new Problem(`Expected a Redis at ${shown}, but it does not tell its version.`);
  if (!isSupportedVersion(version)) {
    throw new Problem(`Spillway needs Redis ${OLDEST_VERSION} or newer (or Valkey); ${shown} is Redis ${version}.`);
  }
  const policy = info.get('maxmemory_policy');
  if (!policy || policy === 'noeviction') return { version };
  return {
    version,
    warning: `${shown} has maxmemory-policy ${policy}: under memory pressure it throws jobs away. Set it to noeviction.`,
  };
}

/**
 * @param {string} address
 * @returns {string} fit for a terminal or a log
 * @throws {Problem} when it is no redis:// or rediss:// address
 */
export function withoutPassword(address) {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !['redis:', 'rediss:'].includes(url.protocol)) {
    throw new Problem(
      `A Redis address looks like redis://127.0.0.1:6379 (rediss:// for TLS); this one does not parse as such.`,
    );
  }
  if (url.password) url.password = '***';
  return url.href;
}

/**
 * @param {string} address
 * @param {string} shown
 * @returns {Promise<Map<string, string>>}
 */
async function askInfo(address, shown) {
  try {
    const connection = await connectTo(address, ANSWER_TIMEOUT_MS);
    const answers = [await connection.ask('INFO', 'server'), await connection.ask('INFO', 'memory')];
    connection.close();
    return parseInfo(answers);
  } catch (error) {
    const reason = /** @type {Error} */ (error).message;
    throw new Problem(
      `No usable Redis at ${shown}: ${reason}\nStart it, correct REDIS_URL or --redis, or leave both away: Spillway then starts its own.`,
    );
  }
}

/**
 * @param {import('./resp.mjs').Reply[]} answers
 * @returns {Map<string, string>}
 */
function parseInfo(answers) {
  const refused = answers.find((answer) => answer instanceof Error);
  if (refused) throw refused;
  const lines = answers.join('\r\n').split('\r\n');
  return new Map(
    lines
      .filter((line) => line.includes(':'))
      .map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon), line.slice(colon + 1)];
      }),
  );
}
