import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that can be started and stopped. */
export interface Listener {
  /** Resolves with the address once it listens; rejects when the port is taken. */
  listen(port: number, host: string): Promise<string>;
  /** Ends what is open. */
  close(): Promise<void>;
}

export function listening(http: Server): Listener {
  return {
    async listen(port, host) {
      http.listen({ port, host });
      await once(http, 'listening');
      const { port: bound } = http.address() as AddressInfo;
      return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    },
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}
