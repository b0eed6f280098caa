/**
 * A line from the scripts themselves to the person at the terminal.
 * @param {string} line
 */
export function say(line) {
  console.log(`spillway | ${line}`);
}

/** A problem that the person at the terminal can mend: printed as it is, without a stack. */
export class Problem extends Error {
  /**
   * @param {string} message what was expected, what came, what to do
   * @param {number} [exitCode] 2 for a wrong call, else 1
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Tells the person at the terminal why it ended.
 * @param {unknown} error
 * @returns {number} the exit code that fits
 */
export function report(error) {
  console.error(error instanceof Problem ? `\n${error.message}` : error);
  return error instanceof Problem ? error.exitCode : 1;
}
