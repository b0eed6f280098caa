/** How many workers the queues were advised to have, and when. */
export interface Advice {
  atMs: number;
  workers: number;
}

export interface Limits {
  min: number;
  max: number;
  /** For how long the advice must have been lower before workers are taken away. */
  cooldownMs: number;
  /** Advice older than this is no advice. */
  staleMs: number;
}

export type Reason = 'up' | 'down' | 'cooldown' | 'steady' | 'stale';

export interface Decision {
  /** How many workers there should be. */
  workers: number;
  reason: Reason;
}

/**
 * How many workers there should be, of which `running` are there. Up at once, to what was advised last; down only when all
 * advice of the cooldown was lower, and then to the highest of it. Without fresh advice everything stays as it is, also
 * outside the limits: a number that nobody can explain is worse than one that is a little off. Pure.
 */
export function decide(nowMs: number, history: readonly Advice[], running: number, limits: Limits): Decision {
  const latest = history.at(-1);
  if (!latest || nowMs - latest.atMs > limits.staleMs) return { workers: running, reason: 'stale' };
  const advised = within(limits, latest.workers);
  if (advised > running) return { workers: advised, reason: 'up' };
  // Counted back from the latest advice: time without any counts for nothing.
  const sinceMs = latest.atMs - limits.cooldownMs;
  const recent = history.filter(({ atMs }) => atMs >= sinceMs);
  const highest = within(limits, Math.max(...recent.map(({ workers }) => workers)));
  if (highest >= running) return { workers: running, reason: advised < running ? 'cooldown' : 'steady' };
  const isWhole = (history[0] ?? latest).atMs <= sinceMs;
  return isWhole ? { workers: highest, reason: 'down' } : { workers: running, reason: 'cooldown' };
}

function within({ min, max }: Limits, workers: number): number {
  return Math.min(max, Math.max(min, workers));
}

/**
 * The history with one more piece of advice, as far back as a decision looks. After a gap it begins anew: what was missed
 * may have been higher. Pure.
 */
export function remember(history: readonly Advice[], advice: Advice, limits: Limits): Advice[] {
  const last = history.at(-1);
  if (!last || advice.atMs - last.atMs > limits.staleMs) return [advice];
  const sinceMs = advice.atMs - limits.cooldownMs;
  // The latest one before the cooldown stays: it shows that the whole of it was seen.
  const from = history.findLastIndex(({ atMs }) => atMs <= sinceMs);
  return [...history.slice(Math.max(0, from)), advice];
}
