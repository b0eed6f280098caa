import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from '../process/npm.mjs';
import { lastLines } from '../process/run.mjs';
import { Problem, say } from '../say.mjs';

/**
 * Installs the dependencies unless what the lock file names is installed already.
 * The stamp is written last, inside node_modules: an install that was cut off, or a removed folder, is mended by the next call.
 * @param {string} folder the project's
 * @param {AbortSignal} [signal]
 * @returns {Promise<'installed' | 'up to date'>}
 */
export async function installDependencies(folder, signal) {
  const wanted = fingerprint(folder);
  if (readStamp(folder) === wanted) return 'up to date';

  say('installing dependencies (npm ci); the first time takes a minute or so …');
  // NODE_ENV=production would leave out the compiler.
  const clean = await npm(['ci', '--include=dev'], { cwd: folder, signal });
  if (clean.code !== 0) {
    say(`npm ci failed, trying npm install:\n${lastLines(clean.output)}`);
    const loose = await npm(['install', '--no-save', '--include=dev'], { cwd: folder, signal });
    if (loose.code !== 0) throw new Problem(`npm install failed:\n${lastLines(loose.output)}`);
  }
  mkdirSync(path.dirname(stampFile(folder)), { recursive: true });
  writeFileSync(stampFile(folder), wanted);
  return 'installed';
}

/**
 * @param {string} folder
 * @returns {string} of the lock file and the platform: packages with native parts are installed per platform
 */
function fingerprint(folder) {
  const lock = readFileSync(path.join(folder, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

/** @param {string} folder */
function stampFile(folder) {
  return path.join(folder, 'node_modules', '.spillway-installed');
}

/** @param {string} folder */
function readStamp(folder) {
  try {
    return readFileSync(stampFile(folder), 'utf8');
  } catch {
    return undefined; // not installed yet
  }
}
