import { Agent, request as send } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** A client that cannot tell whether it was heard asks again; after this long it tells its user that it failed. */
const GIVE_UP_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2000;

/** Not `fetch`: at 500 requests a second it would take the core that is to be measured. */
const agent = new Agent({ keepAlive: true });

/** @typedef {{ method?: string, headers?: Record<string, string>, body?: string }} Sent */
/** A body may differ from turn to turn, the first of which is 0. @typedef {Omit<Sent, 'body'> & { body?: string | ((turn: number) => string) }} Call */
/** @typedef {{ status: number, body: any, retried: string[] }} Answer `status` 0 where nobody answered to the end; `body` says why. `retried`: why it was sent again, once for each time */

/**
 * Sends a request until it is answered for good: again after a lost connection, no answer in time, a 5xx or a 429.
 * @param {string} url
 * @param {Call} request
 * @returns {Promise<Answer>}
 */
export async function callUntilAnswered(url, request) {
  const deadline = Date.now() + GIVE_UP_MS;
  /** @type {string[]} */
  const retried = [];
  for (;;) {
    const body = typeof request.body === 'function' ? request.body(retried.length) : request.body;
    const sent = { ...request, ...(body !== undefined && { body }) };
    const answer = await call(url, /** @type {Sent} */ (sent)).catch((error) => ({
      status: 0,
      body: { code: error.message },
    }));
    const again = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (!again || Date.now() > deadline) return { ...answer, retried };
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** retried.length);
    retried.push(`${answer.status} ${answer.body?.code}`);
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

/**
 * @param {string} url
 * @param {Sent} request
 * @returns {Promise<{ status: number, body: any }>} rejects where no whole answer comes in time
 */
async function call(url, { method = 'GET', headers = {}, body = '' }) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  try {
    /** @type {import('node:http').IncomingMessage} */
    const reply = await new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      const sent = send(url, { agent, method, headers: { ...headers, ...length } }, resolve);
      sent.on('error', reject);
      timer = setTimeout(() => sent.destroy(new Error('no answer in time')), ANSWER_TIMEOUT_MS);
      sent.end(body);
    });
    return { status: reply.statusCode ?? 0, body: JSON.parse(await text(reply)) };
  } finally {
    clearTimeout(timer);
  }
}
