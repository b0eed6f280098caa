/**
 * Resolves with the first truthy value of `probe`, asked again every few milliseconds.
 * @throws Error naming `what` when `timeoutMs` have passed; the last error of the probe is its cause.
 */
export async function until<T>(what: string, probe: () => Promise<T> | T, timeoutMs = 30_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) throw new Error(`expected ${what} within ${timeoutMs} ms`, { cause });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const PAUSE_MS = 10;
