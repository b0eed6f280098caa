import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { App } from '../app.ts';

const GIVEN = /^[\w.:-]{1,64}$/;
/** Differs between processes and restarts; the counter does the rest, at no cost. */
const PROCESS = randomBytes(5).toString('hex');
let count = 0;

/** The caller's own id where it is harmless in a header and a log, else a new one. */
export function makeRequestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  if (typeof given === 'string' && GIVEN.test(given)) return given;
  count += 1;
  return `${PROCESS}-${count.toString(36)}`;
}

export function registerRequestId(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
}
