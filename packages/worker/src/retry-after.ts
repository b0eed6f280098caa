/**
 * Thrown by a handler to say when trying again makes sense, e.g. after a 429 with `Retry-After`. It is a failed attempt like
 * any other: with none left, the job fails.
 */
export class RetryAfterError extends Error {
  /** Milliseconds until the next attempt; more than a day counts as a day. */
  readonly retryAfterMs: number;

  /** @throws RangeError when the time is negative or no number. */
  constructor(retryAfterMs: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RetryAfterError';
    if (!(retryAfterMs >= 0)) throw new RangeError(`expected retryAfterMs to be 0 or more, got ${retryAfterMs}`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** By name too: two copies of the package may be loaded, and errors cross threads as copies. */
export function retryAfterOf(thrown: Error): number | undefined {
  if (!(thrown instanceof RetryAfterError || thrown.name === 'RetryAfterError')) return undefined;
  const { retryAfterMs } = thrown as Partial<RetryAfterError>;
  return typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined;
}
