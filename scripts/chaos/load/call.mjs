import { setTimeout as sleep } from 'node:timers/promises';

/** A client that cannot tell whether it was heard asks again; after this long it tells its user that it failed. */
const GIVE_UP_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2000;

/** @typedef {{ status: number, body: any, retried: number }} Answer `status` 0 where nobody answered to the end; `body` says why */

/**
 * Sends a request until it is answered for good: again after a lost connection, no answer in time, a 5xx or a 429.
 * @param {string} url
 * @param {{ method?: string, headers?: Record<string, string>, body?: string }} request
 * @returns {Promise<Answer>}
 */
export async function callUntilAnswered(url, request) {
  const deadline = Date.now() + GIVE_UP_MS;
  for (let retried = 0; ; retried++) {
    const answer = await call(url, request);
    const again = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (!again || Date.now() > deadline) return { ...answer, retried };
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** retried);
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

/** @param {string} url @param {RequestInit} request */
async function call(url, request) {
  try {
    const reply = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return { status: reply.status, body: await reply.json() };
  } catch (error) {
    const { message, cause } = /** @type {Error & { cause?: Error }} */ (error);
    return { status: 0, body: { code: cause?.message ?? message } };
  }
}
