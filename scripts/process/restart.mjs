/** One that ran for this long was fine; what ended it now is a new trouble. */
const QUICK_DEATH_MS = 20_000;
const MOST_QUICK_DEATHS = 5;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** The exit code of a service that was configured wrongly: the next try would end the same. */
const BAD_CONFIGURATION = 2;

/**
 * Decides what follows on the end of a service that nobody asked to end.
 * @param {{ quickDeaths: number, livedMs: number, exitCode: number | null }} death `quickDeaths` in a row before this one
 * @returns {{ giveUp: true } | { giveUp: false, delayMs: number, quickDeaths: number }}
 */
export function afterDeath({ quickDeaths, livedMs, exitCode }) {
  const inARow = livedMs < QUICK_DEATH_MS ? quickDeaths + 1 : 0;
  if (exitCode === BAD_CONFIGURATION || inARow >= MOST_QUICK_DEATHS) return { giveUp: true };
  const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, inARow - 1));
  return { giveUp: false, delayMs, quickDeaths: inARow };
}
