import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { findProgram } from '../process/find-program.mjs';
import { run } from '../process/run.mjs';

/** @typedef {import('./server.mjs').RedisProgram} RedisProgram */

const IMAGE = 'redis:8';

/**
 * @param {AbortSignal} [signal]
 * @returns {Promise<boolean>} whether an engine answers
 */
export async function hasDocker(signal) {
  if (!findProgram(['docker'])) return false;
  return (await run('docker', ['info'], { signal })).code === 0;
}

/**
 * Redis in a container, its data in a volume of its own per data folder: a bind mount would leave files there that only root can remove.
 * @returns {RedisProgram}
 */
export function dockerProgram() {
  return {
    title: `${IMAGE} in Docker`,
    keepsOwnData: true,
    launch: ({ port, folder, durable, settings }) => {
      const name = `spillway-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
      // One that outlived its front must not share the volume with the new one.
      spawnSync('docker', ['rm', '--force', name], { stdio: 'ignore' });
      const place = ['--name', name, '--publish', `127.0.0.1:${port}:6379`];
      const volume = durable ? ['--volume', `${name}:/data`] : [];
      // In the container it must listen on all its addresses; only the published one is reachable, from this machine.
      const server = [IMAGE, 'redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', ...settings];
      return spawn('docker', ['run', '--rm', ...place, ...volume, ...server], { detached: true, stdio: 'ignore' });
    },
  };
}
