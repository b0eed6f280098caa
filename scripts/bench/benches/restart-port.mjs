import { portTrouble } from '../../process/port.mjs';

/** Below every system's range for outgoing connections (Linux: 32768 and up). */
const LOWEST = 20_000;
const SPAN = 10_000;

/**
 * A free port for a server that will be killed and come back there. It must not be one that outgoing connections get: of
 * 10,000 clients that try a port where nobody listens, one is bound to be given that very port, and then connects to itself.
 */
export async function portForRestart() {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * SPAN);
    if (!(await portTrouble(port, '127.0.0.1'))) return port;
  }
}
