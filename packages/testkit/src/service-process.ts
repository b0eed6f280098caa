import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export type ServiceName = 'api' | 'status' | 'worker' | 'autoscaler';

/** A service as a real process of its own, built and started as a user would. */
export interface ServiceProcess extends AsyncDisposable {
  readonly name: ServiceName;
  readonly pid: number;
  /** Where it answers; empty for a worker. */
  readonly url: string;
  /** Everything it has written so far, both streams. */
  output(): string;
  hasEnded(): boolean;
  /** Closes both of its streams, as a parent that died does: what it writes from then on nobody can read. */
  closeOutput(): void;
  /** Sends the signal and resolves with how it ended. Resolves at once when it has ended already. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts `apps/<name>` from its build and resolves once it says that it is ready. Its environment is the caller's with
 * `env` on top. @throws Error with its output when it ends before that.
 */
export async function startService(name: ServiceName, env: Record<string, string>): Promise<ServiceProcess> {
  const child = fork(`${ROOT}apps/${name}/dist/main.js`, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const written: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => written.push(data.toString()));
  const url = await untilReady(name, child, written);
  return {
    name,
    pid: child.pid ?? 0,
    url,
    output: () => written.join(''),
    closeOutput: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    stop: (signal) => stop(child, signal),
    [Symbol.asyncDispose]: async () => {
      await stop(child);
    },
  };
}

async function untilReady(name: ServiceName, child: ChildProcess, written: string[]): Promise<string> {
  const ready = once(child, 'message').then(([message]) => (message as { url?: string }).url ?? '');
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`${name} ended with ${code} before it was ready:\n${written.join('')}`);
  });
  return Promise.race([ready, ended]);
}

async function stop(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return { code: child.exitCode, signal: child.signalCode };
}
