// A WebSocket client with nothing in it but what a load generator needs: 10,000 of them fit into one process, and the load
// takes less of the machine's cores than a complete client would.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** Like the real client's: an attempt that hangs is given up. */
const OPEN_TIMEOUT_MS = 20_000;
const END_OF_HEAD = '\r\n\r\n';
const TEXT = 0x1;
const CLOSE = 0x8;
/** A client must mask what it sends; a mask of zeros leaves the text as it is. */
const MASKED = 0x80;
const MASK_BYTES = 4;

/**
 * Opens a connection. `on.text(buffer)` gets each text frame and must not keep it; `on.closed(refusal)` is called once, when
 * the connection has ended or was never made: `refusal` is `{ status, retryAfterMs? }` where the server answered with
 * something else than the upgrade. Returns `{ send(text), destroy() }`.
 */
export function openBareSocket({ host, port }, on) {
  const socket = connect({ host, port, noDelay: true });
  let rest;
  let read = readHead;
  let refusal;
  socket.setTimeout(OPEN_TIMEOUT_MS, () => socket.destroy());
  socket.once('connect', () => socket.write(upgradeRequest(host, port)));
  socket.on('data', (data) => {
    let bytes = rest ? Buffer.concat([rest, data]) : data;
    rest = undefined;
    while (bytes.length > 0) {
      const used = read(bytes);
      if (used === 0) break;
      bytes = bytes.subarray(used);
    }
    // A copy, because the buffer that it came in is much larger than what is left of it.
    if (bytes.length > 0) rest = Buffer.from(bytes);
  });
  socket.on('error', () => {}); // 'close' follows
  socket.once('close', () => on.closed(refusal));

  /** Returns how many bytes it has used; 0 asks for more. */
  function readHead(bytes) {
    const end = bytes.indexOf(END_OF_HEAD);
    if (end < 0) return 0;
    const head = bytes.toString('latin1', 0, end);
    if (head.startsWith('HTTP/1.1 101')) {
      socket.setTimeout(0);
      read = readFrame;
    } else {
      refusal = readRefusal(head);
      socket.destroy();
    }
    return end + END_OF_HEAD.length;
  }

  function readFrame(bytes) {
    const frame = measureFrame(bytes);
    if (!frame || bytes.length < frame.end) return 0;
    const opcode = bytes[0] & 0xf;
    if (opcode === TEXT) on.text(bytes.subarray(frame.start, frame.end));
    else if (opcode === CLOSE) socket.destroy();
    return frame.end;
  }

  return {
    send: (text) => void socket.write(textFrame(text)),
    destroy: () => void socket.destroy(),
  };
}

function upgradeRequest(host, port) {
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: ${host}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  return lines.join('\r\n') + END_OF_HEAD;
}

function readRefusal(head) {
  const seconds = /^retry-after: *([\d.]+)/im.exec(head)?.[1];
  return {
    status: Number(head.split(' ')[1]),
    retryAfterMs: seconds === undefined ? undefined : Number(seconds) * 1000,
  };
}

/** Where the first frame's payload starts and ends; undefined while its header is not there. Servers do not mask. */
function measureFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  if (short < 126) return { start, end: start + short };
  return { start, end: start + (short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))) };
}

function textFrame(text) {
  const bytes = Buffer.byteLength(text);
  const start = bytes < 126 ? 2 : 4;
  const frame = Buffer.alloc(start + MASK_BYTES + bytes);
  frame[0] = 0x80 | TEXT;
  frame[1] = MASKED | (bytes < 126 ? bytes : 126);
  if (bytes >= 126) frame.writeUInt16BE(bytes, 2);
  frame.write(text, start + MASK_BYTES);
  return frame;
}
