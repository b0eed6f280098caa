import path from 'node:path';
import { localAddress } from './ports.mjs';

/**
 * @param {NodeJS.ProcessEnv} env of the person at the terminal
 * @param {{ redisUrl: string, ports: import('./ports.mjs').Ports, dataFolder: string }} decided
 * @returns {NodeJS.ProcessEnv} for api, status and workers: what the person set wins over defaults, not over what start has decided
 */
export function serviceEnvironment(env, { redisUrl, ports, dataFolder }) {
  return {
    SPILLWAY_LOG_FORMAT: 'pretty',
    SPILLWAY_FILES: path.join(dataFolder, 'files'),
    SPILLWAY_STATUS_URL: localAddress(ports.host, ports.status),
    // There is no other status that its clients could move to, and whoever presses Ctrl-C waits for it.
    SPILLWAY_STATUS_STOP_MS: '1000',
    ...env,
    REDIS_URL: redisUrl,
    SPILLWAY_PORT: String(ports.api),
    SPILLWAY_STATUS_PORT: String(ports.status),
  };
}
