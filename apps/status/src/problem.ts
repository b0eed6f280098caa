import { type JobError, SpillwayError } from '@spillway/contracts';
import type { Logger } from '@spillway/runtime';

/** What an acknowledgement says of a failure; what was not expected goes to the log. */
export function toJobError(error: unknown, logger: Logger): JobError {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  logger.error({ err: error }, 'a message failed');
  return { code: 'internal', message: 'an unexpected error; the log of status has it' };
}
