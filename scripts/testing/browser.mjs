import { findProgram } from '../process/find-program.mjs';
import { lastLines, run } from '../process/run.mjs';
import { say } from '../say.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'msedge'];
const MAC_FOLDERS = ['Chromium', 'Google Chrome'].map((name) => `/Applications/${name}.app/Contents/MacOS`);

/**
 * Finds a Chromium for the browser tests; on Debian and Ubuntu as root (as in CI) installs one when there is none.
 * @param {NodeJS.ProcessEnv} env CHROMIUM wins
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>} its path; without one the browser tests are skipped
 */
export async function findBrowser(env, signal) {
  const found = env.CHROMIUM || locateBrowser();
  if (found) return found;
  if (process.getuid?.() === 0 && findProgram(['apt-get'])) await installBrowser(signal);
  const installed = locateBrowser();
  if (!installed) say('no Chromium found: browser tests are skipped. Install one, or set CHROMIUM to its path.');
  return installed;
}

function locateBrowser() {
  return findProgram(NAMES) ?? findProgram(['Chromium', 'Google Chrome'], { env: {}, folders: MAC_FOLDERS });
}

/** @param {AbortSignal} signal */
async function installBrowser(signal) {
  say('installing Chromium for the browser tests (apt-get install chromium) …');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Package lists may be missing or out of date; if they can't be renewed, the install tells.
  await run('apt-get', ['update'], { env, signal });
  const { code, output } = await run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], {
    env,
    signal,
  });
  if (code !== 0) say(`apt-get install chromium failed:\n${lastLines(output, 4)}`);
}
