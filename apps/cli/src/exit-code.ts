import { ApiError, type JobState, UnreachableError } from '@spillway/client';
import { UsageError } from './usage-error.ts';

/** What the command's exit code says. Help and README show this table. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'done; a watched job completed' },
  unexpected: { code: 1, meaning: 'something unexpected went wrong' },
  usage: { code: 2, meaning: 'the command line, or JSON in it, cannot be understood' },
  failed: { code: 3, meaning: 'the watched job failed' },
  cancelled: { code: 4, meaning: 'the watched job was cancelled' },
  notFound: { code: 5, meaning: 'there is no such job, type, queue or file' },
  unreachable: { code: 6, meaning: 'no server answers, or it cannot serve now (5xx); trying again may help' },
  refused: { code: 7, meaning: 'the server refuses the request (4xx), e.g. an invalid input or key' },
  interrupted: { code: 130, meaning: 'interrupted with Ctrl-C; a watched job goes on' },
} as const satisfies Record<string, { code: number; meaning: string }>;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES]['code'];

/** The exit code for an error that ends a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT_CODES.usage.code;
  if (error instanceof UnreachableError) return EXIT_CODES.unreachable.code;
  if (!(error instanceof ApiError)) return EXIT_CODES.unexpected.code;
  if (error.status === 404) return EXIT_CODES.notFound.code;
  return error.status >= 500 ? EXIT_CODES.unreachable.code : EXIT_CODES.refused.code;
}

/** The exit code of a command that watched a job to this state. */
export function exitCodeOfState(state: JobState): ExitCode {
  if (state === 'failed') return EXIT_CODES.failed.code;
  if (state === 'cancelled') return EXIT_CODES.cancelled.code;
  return EXIT_CODES.ok.code;
}

/** The table as lines of text for `--help`. */
export function exitCodeHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`);
  return ['Exit codes:', ...lines].join('\n');
}
