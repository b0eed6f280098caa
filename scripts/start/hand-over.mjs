/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('node:net').Socket} Socket */

/**
 * Passes the live connections that come in at api's address on to status, whole: after that neither api nor this process
 * has anything to do with them. The other two ends are in packages/runtime/src/hand-over.ts.
 * @param {ChildProcess} api that is ready; to be called once for each that was launched
 * @param {() => ChildProcess | undefined} status the one that runs at the moment
 */
export function handOver(api, status) {
  api.on('message', (/** @type {{ kind?: string }} */ message, socket) => {
    if (message?.kind !== 'live connection' || !socket) return;
    const line = /** @type {Socket} */ (socket);
    line.on('error', () => line.destroy());
    const target = status();
    if (!target?.connected) return refuse(line);
    // The object that is left behind is closed, because api does not end before all that it gave away is.
    target.send(message, line, () => line.destroy());
  });
  if (api.connected) api.send({ kind: 'live connections' }, () => undefined);
}

/** @param {Socket} line */
function refuse(line) {
  const lines = [
    'HTTP/1.1 503 Service Unavailable',
    'Retry-After: 1',
    'Connection: close',
    'Content-Length: 0',
    '',
    '',
  ];
  line.end(lines.join('\r\n'));
}
