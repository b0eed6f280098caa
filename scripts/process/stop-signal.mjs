/** npm passes Ctrl-C on to this process, which the terminal has told already: two signals this close are one key press. */
const SAME_PRESS_MS = 400;

/**
 * Turns SIGINT, SIGTERM and SIGHUP into an AbortSignal.
 * @param {{ onSecond: () => void }} options called for each further signal, when somebody is not willing to wait
 * @returns {AbortSignal} aborted by the first signal
 */
export function stopSignal({ onSecond }) {
  const stop = new AbortController();
  let firstAt = 0;
  const onSignal = () => {
    if (!stop.signal.aborted) {
      firstAt = Date.now();
      stop.abort();
    } else if (Date.now() - firstAt > SAME_PRESS_MS) {
      onSecond();
    }
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, onSignal);
  return stop.signal;
}
