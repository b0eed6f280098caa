import { run } from '../process/run.mjs';

/** The first with everything that the queue's scripts and streams use. */
export const OLDEST_VERSION = '6.2';

/**
 * @param {string} version e.g. `7.0.15`
 * @returns {boolean}
 */
export function isSupportedVersion(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION.split('.').map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/**
 * @param {string} binary a redis-server or valkey-server
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ version: string } | { trouble: string }>} `trouble` when it does not start here
 */
export async function versionOf(binary, env) {
  const { code, output } = await run(binary, ['--version'], { env });
  const version = /\bv=(\d+\.\d+\.\d+)/.exec(output)?.[1];
  return code === 0 && version ? { version } : { trouble: output.trim() || `exit code ${code}` };
}
