import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

/** @typedef {string | Error} Reply An error that Redis answers with is a value. */

/**
 * Just enough of the Redis protocol to ask a server who it is, before any dependency is installed: answers that are a line or one text.
 * One question at a time; close it when done.
 */
class RespConnection {
  /** @type {net.Socket} */ #socket;
  #received = '';

  /** @param {net.Socket} socket connected */
  constructor(socket) {
    this.#socket = socket;
    socket.setEncoding('latin1'); // one character per byte: lengths are given in bytes
    socket.on('error', () => {}); // reported by the question that it interrupts
  }

  /**
   * @param {string[]} words the command and its arguments
   * @returns {Promise<Reply>} rejects when the connection ends or times out before the answer is complete
   */
  async ask(...words) {
    this.#socket.write(`*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`);
    for (;;) {
      const parsed = parseReply(this.#received);
      if (parsed) {
        this.#received = this.#received.slice(parsed.end);
        return parsed.reply;
      }
      this.#received += await this.#nextChunk();
    }
  }

  close() {
    this.#socket.destroy();
  }

  /** @returns {Promise<string>} */
  async #nextChunk() {
    if (this.#socket.destroyed) throw new Error('the connection was closed');
    const closed = new AbortController();
    const onEnd = () => closed.abort(new Error('the connection was closed'));
    this.#socket.once('close', onEnd);
    try {
      const [chunk] = await once(this.#socket, 'data', { signal: closed.signal });
      return chunk;
    } catch (error) {
      throw closed.signal.aborted ? closed.signal.reason : error;
    } finally {
      this.#socket.off('close', onEnd);
    }
  }
}

/**
 * Connects and logs in as the address says (`redis://user:password@host:port`, `rediss://` for TLS; NODE_EXTRA_CA_CERTS adds authorities).
 * @param {string} address
 * @param {number} timeoutMs for connecting and for each answer
 * @returns {Promise<RespConnection>} rejects when nothing answers or the login is refused
 */
export async function connectTo(address, timeoutMs) {
  const { hostname, port, protocol, username, password } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, ''); // an IPv6 address stands in brackets
  const options = { host, port: Number(port || 6379) };
  const secure = protocol === 'rediss:';
  const socket = secure ? tls.connect({ ...options, servername: net.isIP(host) ? '' : host }) : net.connect(options);
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  await once(socket, secure ? 'secureConnect' : 'connect');

  const connection = new RespConnection(socket);
  if (!password) return connection;
  const login = [username, password].filter(Boolean).map(decodeURIComponent);
  const answer = await connection.ask('AUTH', ...login);
  if (!(answer instanceof Error)) return connection;
  connection.close();
  throw answer;
}

/**
 * @param {string} text what has been received
 * @returns {{ reply: Reply, end: number } | undefined} undefined while the answer is incomplete
 */
function parseReply(text) {
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return undefined;
  const line = text.slice(1, lineEnd);
  const start = lineEnd + 2;
  if (text[0] === '+') return { reply: line, end: start };
  if (text[0] === '-') return { reply: new Error(line), end: start };
  if (text[0] !== '$') throw new Error(`expected a Redis server, but it answered ${JSON.stringify(text.slice(0, 40))}`);
  const end = start + Number(line);
  return text.length < end + 2 ? undefined : { reply: text.slice(start, end), end: end + 2 };
}
