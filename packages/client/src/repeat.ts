import { ApiError, UnreachableError } from './api-error.ts';

/** Before each further try; a server that is being restarted is back within seconds. */
const PAUSES_MS = [250, 500, 1_000, 2_000];

/** A name for one request. Not by `randomUUID`, which pages without https do not have. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Puts a request again where it may have been lost or come too early, at most four times. Only for requests that have one
 * effect however often they arrive.
 * @throws what the last try threw, or the signal's reason
 */
export async function untilAnswered<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await ask();
    } catch (error) {
      if (!mayPass(error)) throw error;
    }
    // Spread, so that clients that were cut off together do not come back together.
    await pause(pauseMs * (0.5 + Math.random()), signal);
  }
  return ask();
}

function mayPass(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof ApiError && error.status >= 502);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
