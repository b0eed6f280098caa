/** Thrown by a handler to say that trying again cannot help: the job fails at once, whatever attempts are left. */
export class UnrecoverableJobError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'UnrecoverableJobError';
  }
}
