import path from 'node:path';
import { findProgram } from '../process/find-program.mjs';
import { lastLines, run } from '../process/run.mjs';
import { Problem, say } from '../say.mjs';
import { alone } from '../setup/alone.mjs';
import { toolFolder } from '../setup/project.mjs';
import { fetchFromDebian, hasApt, unpackedServer } from './debian.mjs';
import { dockerProgram, hasDocker } from './docker.mjs';
import { localProgram } from './program.mjs';
import { isSupportedVersion, OLDEST_VERSION, versionOf } from './version.mjs';

/** @typedef {import('./server.mjs').RedisProgram} RedisProgram */
/** @typedef {(signal?: AbortSignal) => Promise<RedisProgram | string | undefined>} Source a program, why its program can't be used, or nothing to say */

const SERVERS = ['redis-server', 'valkey-server'];
const HOMEBREW_FOLDERS = ['/opt/homebrew/bin', '/usr/local/bin', '/home/linuxbrew/.linuxbrew/bin'];
const FETCHED_FOLDER = path.join(toolFolder, 'redis', 'server');

/** @type {Source[]} */
const SOURCES = [fromPath, fromEarlierFetch, fromDebian, fromHomebrew, fromDocker];

/**
 * Finds a Redis or Valkey server to start, and fetches one where that needs no questions asked.
 * @param {AbortSignal} [signal]
 * @returns {Promise<RedisProgram>}
 * @throws {Problem} with the one command to type when there is none
 */
export async function findRedisProgram(signal) {
  /** @type {string[]} */
  const troubles = [];
  for (const source of SOURCES) {
    const found = await source(signal);
    if (typeof found === 'object') return found;
    if (found) troubles.push(found);
  }
  throw new Problem(
    [`No Redis ${OLDEST_VERSION}+ or Valkey found on this machine.`, ...new Set(troubles), advice()].join('\n'),
  );
}

/** @type {Source} */
async function fromPath() {
  const binary = findProgram(SERVERS, { folders: HOMEBREW_FOLDERS });
  return binary && usable(binary, binary);
}

/** @type {Source} */
async function fromEarlierFetch() {
  const unpacked = unpackedServer(FETCHED_FOLDER);
  if (!unpacked) return undefined;
  return usable(unpacked.binary, path.relative(process.cwd(), unpacked.binary), unpacked.env);
}

/** @type {Source} */
async function fromDebian(signal) {
  if (!hasApt()) return undefined;
  return alone(async () => {
    const fetchedMeanwhile = await fromEarlierFetch();
    if (typeof fetchedMeanwhile === 'object') return fetchedMeanwhile;
    say("fetching the distribution's own Redis package into .spillway (nothing is installed) …");
    const trouble = await fetchFromDebian(FETCHED_FOLDER, signal);
    return trouble ? `Fetching the distribution's package failed: ${trouble}` : fromEarlierFetch();
  }, signal);
}

/** @type {Source} */
async function fromHomebrew(signal) {
  const brew = findProgram(['brew'], { folders: HOMEBREW_FOLDERS });
  if (!brew) return undefined;
  say('installing Redis with Homebrew (brew install redis) …');
  const { code, output } = await run(brew, ['install', 'redis'], { signal });
  return code === 0 ? fromPath() : `brew install redis failed: ${lastLines(output, 3)}`;
}

/** @type {Source} */
async function fromDocker(signal) {
  return (await hasDocker(signal)) ? dockerProgram() : undefined;
}

/**
 * @param {string} binary
 * @param {string} place for people
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<RedisProgram | string>}
 */
async function usable(binary, place, env) {
  const answer = await versionOf(binary, env);
  if ('trouble' in answer) return `${place} does not start: ${answer.trouble}`;
  if (!isSupportedVersion(answer.version))
    return `${place} is version ${answer.version}: older than ${OLDEST_VERSION}.`;
  return localProgram(binary, `${path.basename(binary)} ${answer.version} (${place})`, env);
}

function advice() {
  if (process.platform === 'darwin') return 'Type: brew install redis';
  if (process.platform === 'win32')
    return 'Type: wsl --install, and run Spillway there; or set REDIS_URL to a Redis elsewhere.';
  if (findProgram(['apk'])) return 'Type: apk add redis';
  if (findProgram(['dnf'])) return 'Type: sudo dnf install valkey';
  if (findProgram(['pacman'])) return 'Type: sudo pacman -S valkey';
  return 'Type: docker run --detach --publish 127.0.0.1:6379:6379 redis:8, then REDIS_URL=redis://127.0.0.1:6379 npm start';
}
