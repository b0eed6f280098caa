import { ApiError, UnreachableError } from './api-error.ts';

/** Before each further try; a server that is being restarted is back within seconds. */
const PAUSES_MS = [250, 500, 1_000, 2_000];
/** A full queue says when it has room. Whoever would have to wait for longer is told so, and can decide for itself. */
const RETRY_AFTER_MAX_MS = 10_000;

/** A name for one request. Not by `randomUUID`, which pages without https do not have. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Puts a request again where it may have been lost, come too early or found the queue full, at most four times. Only for requests that have one
 * effect however often they arrive.
 * @throws what the last try threw, or the signal's reason
 */
export async function untilAnswered<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await ask();
    } catch (error) {
      const waitMs = pauseAfter(error, pauseMs);
      if (waitMs === undefined) throw error;
      await pause(waitMs, signal);
    }
  }
  return ask();
}

/** How long to wait before the next try, or undefined where there is no point in one. */
function pauseAfter(error: unknown, pauseMs: number): number | undefined {
  // Spread, so that clients that were cut off together do not come back together.
  const spread = Math.random();
  if (error instanceof UnreachableError) return pauseMs * (0.5 + spread);
  if (!(error instanceof ApiError)) return undefined;
  if (error.status >= 502) return pauseMs * (0.5 + spread);
  const { code, retryAfterMs = Number.POSITIVE_INFINITY } = error;
  // Never earlier than it was told.
  return code === 'queue_full' && retryAfterMs <= RETRY_AFTER_MAX_MS ? retryAfterMs * (1 + spread / 4) : undefined;
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
