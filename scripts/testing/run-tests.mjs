import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { programOf } from '../process/package-program.mjs';
import { stopSignal } from '../process/stop-signal.mjs';
import { findRedisProgram } from '../redis/find-program.mjs';
import { startRedis } from '../redis/server.mjs';
import { report } from '../say.mjs';
import { prepare } from '../setup/prepare.mjs';
import { projectFolder } from '../setup/project.mjs';
import { findBrowser } from './browser.mjs';

/**
 * `npm test`: jest on a Redis of its own. Owns the process; its exit code is jest's.
 * @param {string[]} jestArgs
 */
export async function runTests(jestArgs) {
  const stop = stopSignal({ onSecond: () => process.exit(1) });
  try {
    await prepare(stop);
    const chromium = await findBrowser(process.env, stop);
    process.exitCode = await withRedis(stop, (redisUrl) => runJest(jestArgs, { redisUrl, chromium, stop }));
  } catch (error) {
    process.exitCode = stop.aborted ? 1 : report(error);
  }
}

/**
 * @template T
 * @param {AbortSignal} stop
 * @param {(url: string) => Promise<T>} work with a Redis that is thrown away afterwards
 * @returns {Promise<T>}
 */
async function withRedis(stop, work) {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-test-'));
  try {
    const redis = await startRedis(await findRedisProgram(stop), { folder, durable: false });
    process.once('exit', () => redis.child.kill('SIGKILL')); // a second Ctrl-C leaves nothing behind either
    try {
      return await work(redis.url);
    } finally {
      await redis.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string[]} args
 * @param {{ redisUrl: string, chromium: string | undefined, stop: AbortSignal }} options
 * @returns {Promise<number>} its exit code
 */
async function runJest(args, { redisUrl, chromium, stop }) {
  const env = { ...process.env, REDIS_URL: redisUrl, ...(chromium ? { CHROMIUM: chromium } : {}) };
  const jest = spawn(process.execPath, [programOf('jest'), ...args], { cwd: projectFolder, env, stdio: 'inherit' });
  stop.addEventListener('abort', () => jest.kill());
  if (stop.aborted) jest.kill();
  const [code] = await once(jest, 'exit');
  return code ?? 1;
}
