import { ApiError } from '@spillway/client';
import { CommanderError } from 'commander';
import { EXIT_CODES, type ExitCode, exitCodeOf } from './exit-code.ts';
import { createProgram } from './program.ts';
import { paintFor, printable, type Terminal } from './terminal.ts';

/** Runs the command that `process.argv` asks for, and leaves its exit code to the process. */
export async function runProcess(process: NodeJS.Process): Promise<void> {
  // `spillway log … | head` closes the pipe early, and that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT_CODES.ok.code);
  });
  process.exitCode = await runCommand(process.argv.slice(2), process);
}

/** Runs one command line; all that goes wrong is told on standard error and comes back as the exit code. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT_CODES.ok.code;
  const program = createProgram(terminal, (given) => {
    code = given;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has told what is wrong itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
    terminal.stderr.write(`${args.includes('--json') ? asJson(error) : asText(error, terminal)}\n`);
    return exitCodeOf(error);
  }
}

function asText(error: unknown, terminal: Terminal): string {
  const paint = paintFor(terminal.stderr, terminal.env);
  const head = paint('red', 'spillway:');
  if (!(error instanceof ApiError)) return `${head} ${printable(messageOf(error))}`;
  const places = error.errors.map(({ message }) => `\n  ${printable(message)}`);
  // Where places are named, the detail is their sum, so the title is enough above them.
  return `${head} ${printable(places.length > 0 ? error.problem.title : error.message)} (${error.code})${places.join('')}`;
}

function asJson(error: unknown): string {
  if (error instanceof ApiError) return JSON.stringify({ error: { message: error.message, ...error.problem } });
  const name = error instanceof Error ? error.name : 'Error';
  return JSON.stringify({ error: { code: CODES[name] ?? 'unexpected', message: messageOf(error) } });
}

const CODES: Record<string, string> = { UsageError: 'usage', UnreachableError: 'unreachable' };

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
