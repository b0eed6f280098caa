import { once } from 'node:events';
import net from 'node:net';

/**
 * @param {string} [host]
 * @returns {Promise<number>} a port that nobody listened on a moment ago
 */
export async function freePort(host = '127.0.0.1') {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<string | undefined>} why one can not listen there, e.g. `EADDRINUSE`; undefined when one can
 */
export async function portTrouble(port, host) {
  const server = net.createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error);
  }
  server.close();
  await once(server, 'close');
  return undefined;
}
