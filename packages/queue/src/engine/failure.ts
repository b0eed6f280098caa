import { ERRORS, type ErrorCode, type JobError } from '@spillway/contracts';

/**
 * The engine keeps one text for why a job failed, and the event carries the same text. Code and message travel in it as
 * `code: message`, which other tools on the same queue can show as it is.
 */
export function encodeFailure({ code, message }: JobError): string {
  return `${code}: ${message}`;
}

export function decodeFailure(reason: string): JobError {
  const [, code = '', message = ''] = /^([a-z_]+): ([\s\S]*)$/.exec(reason) ?? [];
  if (isErrorCode(code)) return { code, message };
  // The engine's own sentence for a parent, with the child's key, which ends with its id.
  const [, child] = /^child .*:([^: ]+) failed$/s.exec(reason) ?? [];
  if (child) return { code: 'child_failed', message: `${child}, which this job needs, failed or was cancelled` };
  // The engine's own sentence, once a job's lease ran out more often than maxStalledCount allows.
  if (reason.includes('stalled more than'))
    return { code: 'lost_worker', message: 'workers that ran this job died too often' };
  return { code: 'handler_failed', message: reason };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
