import { rm, writeFile } from 'node:fs/promises';

/** Resolves when the thing works; rejects with the reason when it does not. */
export type HealthCheck = () => Promise<unknown>;

export interface Readiness {
  ready: boolean;
  checks: Record<string, 'ok' | string>;
}

/** Longest that a health check may take: orchestrators give up after a few seconds, so the truth must come earlier. */
const CHECK_MS = 1000;

/** Runs all checks side by side; one that hangs counts as failed after a second. */
export async function checkReadiness(checks: Record<string, HealthCheck>): Promise<Readiness> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const),
  );
  return { ready: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) };
}

async function outcome(check: HealthCheck): Promise<'ok' | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    await Promise.race([check(), late]);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** How often a process without a port shows that it lives: what a look at the file tells is true within two seconds. */
const BEAT_MS = 1000;

/**
 * Touches `file` every second while the check passes, and takes it away while it does not, so that a container's health
 * check can look at its age: a process that hangs lets it grow old. Returns the stop, which leaves the file.
 */
export function beat(file: string, check: HealthCheck): () => void {
  let isBeating = false;
  const show = async () =>
    (await outcome(check)) === 'ok' ? writeFile(file, `${Date.now()}\n`) : rm(file, { force: true });
  const next = async () => {
    // One at a time: of two that overlap the older one could have the last word.
    if (isBeating) return;
    isBeating = true;
    // An unwritable file shows as its growing age, which is what the check looks at.
    await show().catch(() => undefined);
    isBeating = false;
  };
  void next();
  const timer = setInterval(next, BEAT_MS);
  return () => clearInterval(timer);
}
