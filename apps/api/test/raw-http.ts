import { connect } from 'node:net';

/** One request as its bytes go over the wire, so that it may be wrong in every way that a client can be. */
export interface RawRequest {
  method: string;
  /** Path and query, not encoded any further; latin1. */
  target: string;
  headers: readonly (readonly [name: string, value: string])[];
  body: Buffer;
}

export interface RawReply {
  /** 0 where the connection was closed without an answer. */
  status: number;
  headers: Map<string, string>;
  body: string;
}

/**
 * Sends the request on a connection of its own and reads until the server closes it; of a stream of events only the head.
 * @throws Error when that takes longer than `deadlineMs`.
 */
export async function sendRaw(base: string, request: RawRequest, deadlineMs: number): Promise<RawReply> {
  const { hostname, port } = new URL(base);
  const socket = connect({ host: hostname, port: Number(port) });
  const received: Buffer[] = [];
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    socket.destroy();
  }, deadlineMs);
  socket.on('error', () => undefined); // Resets are an answer too: what came before them counts.
  socket.on('data', (bytes: Buffer) => {
    received.push(bytes);
    if (/\r\ncontent-type: text\/event-stream/i.test(bytes.toString('latin1'))) socket.destroy();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(encodeRequest(request));
  if (isTruncated(request)) socket.end();
  await closed;
  clearTimeout(timer);
  if (late) throw new Error(`expected an answer within ${deadlineMs} ms, got ${Buffer.concat(received).length} bytes`);
  return parseReply(Buffer.concat(received));
}

/** Whether it announces more than it brings: then the client leaves, as one that crashed would. */
export function isTruncated({ headers, body }: RawRequest): boolean {
  return headers.some(([name, value]) => name === 'content-length' && Number(value) > body.length);
}

function encodeRequest({ method, target, headers, body }: RawRequest): Buffer {
  const lines = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

function parseReply(bytes: Buffer): RawReply {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
  if (status === 100) return parseReply(bytes.subarray(end + 4));
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const rest = bytes.subarray(end + 4);
  const body = headers.get('transfer-encoding') === 'chunked' ? unchunk(rest) : rest;
  return { status, headers, body: body.toString() };
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(length > 0)) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(parts);
}
