import { IncomingMessage, type Server } from 'node:http';
import { Socket } from 'node:net';

/*
 * A live connection that comes in at api's address can move to status whole, in place of having its bytes forwarded, where
 * one process has started both: `npm start`. It offers that to api, and passes on what it is given
 * (scripts/start/hand-over.mjs). Messages between the three travel over Node's own channel between parent and child.
 */

interface Offer {
  kind: 'live connections';
}

/** Travels with the connection itself. */
interface LiveConnection {
  kind: 'live connection';
  request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>;
  /** What came behind the request, in base64. */
  head: string;
}

/** Gives a connection away that asks for an upgrade. False where nobody takes it: then it stays with the caller, untouched. */
export type HandOver = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

/** For the process that accepts connections. Nothing is given away before the parent has offered to take it. */
export function createHandOver(): HandOver {
  let isOffered = false;
  process.on('message', (message: Offer) => {
    if (message?.kind === 'live connections') isOffered = true;
  });
  return ({ method, url, headers }, socket, head) => {
    if (!isOffered || !process.connected) return false;
    const message: LiveConnection = {
      kind: 'live connection',
      request: { method, url, headers },
      head: head.toString('base64'),
    };
    // One that got stuck on the way is closed, and its client dials again.
    process.send?.(message, socket, undefined, (error) => error && socket.destroy());
    return true;
  };
}

/** For the process that serves them: those that its parent passes on are upgrades of `server`, as if it had accepted them. */
export function takeHandedOver(server: Server): void {
  process.on('message', (message: LiveConnection, socket: unknown) => {
    // One that was closed on the way comes without its socket.
    if (message?.kind !== 'live connection' || !(socket instanceof Socket)) return;
    socket.setNoDelay(true);
    const request = Object.assign(new IncomingMessage(socket), message.request, {
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    });
    server.emit('upgrade', request, socket, Buffer.from(message.head, 'base64'));
  });
}
