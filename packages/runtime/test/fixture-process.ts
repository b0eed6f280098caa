import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { until } from '@spillway/testkit';

/** A fixture as a process of its own, run from source, with nothing of this one's configuration. */
export interface FixtureProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** The first message over IPC. */
  readonly message: Promise<unknown>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Resolves once it has written the text to stdout. */
  wrote(text: string): Promise<unknown>;
}

export function startFixture(file: string, args: string[], env: Record<string, string> = {}): FixtureProcess {
  const child = fork(join(__dirname, 'fixtures', file), args, {
    env: { PATH: process.env.PATH, ...env },
    execArgv: ['--import', 'tsx', '--conditions=spillway-source'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const written = { stdout: '', stderr: '' };
  // Not the child's own 'close', which never comes after the parent has disconnected.
  const closed: Promise<unknown>[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = child[name] as Readable;
    stream.on('data', (data: Buffer) => {
      written[name] += data.toString();
    });
    closed.push(once(stream, 'close'));
  }
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    await Promise.all(closed);
    return code ?? signal;
  });
  return {
    child,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    message: once(child, 'message').then(([message]) => message),
    ended,
    wrote: (text) => until(`${JSON.stringify(text)} from ${file}`, () => written.stdout.includes(text)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
