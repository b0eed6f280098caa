import { freePort, portTrouble } from '../process/port.mjs';
import { Problem } from '../say.mjs';

/**
 * Where api and status listen.
 * @typedef {{ host: string, api: number, status: number }} Ports
 */

/**
 * Settles the ports before anything is started.
 * @param {{ port: number, statusPort: number | undefined }} wanted
 * @param {string} host that the services bind
 * @returns {Promise<Ports>}
 * @throws {Problem} when one is taken
 */
export async function choosePorts({ port, statusPort }, host) {
  if (port !== 0) await mustBeFree(port, host, 'api', `npm start -- --port ${port + 100}`);
  const api = port || (await freePort(host));
  const wantedStatus = statusPort ?? (port === 0 ? 0 : port + 1);
  if (wantedStatus !== 0)
    await mustBeFree(wantedStatus, host, 'status', `SPILLWAY_STATUS_PORT=${wantedStatus + 100} npm start`);
  return { host, api, status: wantedStatus || (await freePort(host)) };
}

/**
 * @param {string} host that a service binds
 * @param {number} port
 * @returns {string} where this machine reaches it
 */
export function localAddress(host, port) {
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * @param {number} port
 * @param {string} host
 * @param {string} service
 * @param {string} remedy
 */
async function mustBeFree(port, host, service, remedy) {
  const trouble = await portTrouble(port, host);
  if (!trouble) return;
  const why = trouble === 'EADDRINUSE' ? 'is taken by another program' : `can not be used (${trouble})`;
  throw new Problem(`Port ${port} on ${host}, for ${service}, ${why}. Choose another one, e.g.: ${remedy}`);
}
