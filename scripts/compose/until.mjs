import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 300;

/**
 * Waits until `probe` returns something true, and returns that. A probe that throws counts as not yet.
 * @template T
 * @param {string} what completes the sentence "waited for …"
 * @param {() => Promise<T>} probe
 * @param {{ timeoutMs: number, signal?: AbortSignal }} limits
 * @returns {Promise<T>}
 */
export async function until(what, probe, { timeoutMs, signal }) {
  const deadline = Date.now() + timeoutMs;
  let trouble = '';
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
      trouble = '';
    } catch (error) {
      trouble = ` (last: ${error instanceof Error ? error.message : error})`;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}${trouble}`);
    await delay(POLL_MS, undefined, { signal });
  }
}
