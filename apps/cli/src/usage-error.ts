/** What was typed cannot be understood; the message says what was expected. Nothing was sent. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}
