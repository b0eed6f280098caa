import { spawn } from 'node:child_process';
import { dataFolderIn, logFileIn } from './server.mjs';

/** @typedef {import('./server.mjs').RedisProgram} RedisProgram */

/**
 * @param {string} binary a redis-server or valkey-server
 * @param {string} title
 * @param {NodeJS.ProcessEnv} [env] with what it needs to find its libraries
 * @returns {RedisProgram}
 */
export function localProgram(binary, title, env) {
  return {
    title,
    launch: ({ port, folder, settings }) => {
      const place = [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        dataFolderIn(folder),
        '--logfile',
        logFileIn(folder),
      ];
      return spawn(binary, [...place, ...settings], { detached: true, stdio: 'ignore', env });
    },
  };
}
