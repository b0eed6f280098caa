import { type ChildProcess, fork } from 'node:child_process';
import { SETTINGS } from '@spillway/runtime';
import type { FromIsolate } from './messages.ts';
import { entryFile, type Launch, outOfMemory } from './vessel.ts';

/** How Node ends a process that has no memory left, by version. */
const OUT_OF_MEMORY_SIGNALS: (string | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];

export const launchProcess: Launch = (setup, memoryMb) => {
  const child = fork(entryFile(), [JSON.stringify(setup)], {
    // Leads a group of its own: Ctrl-C in a terminal does not reach it, and what the handler starts can be ended with it.
    detached: true,
    env: withoutSecrets(process.env),
    execArgv: [...execArgv(), ...(memoryMb ? [`--max-old-space-size=${memoryMb}`] : [])],
    // The last one is the pipe by which it notices that its worker is gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  });
  // It may be gone before it has read what it was sent; that it is gone is told by its exit.
  child.on('error', () => undefined);
  child.stdio[4]?.on('error', () => undefined);
  return {
    send: (message) => child.connected && child.send(message, () => undefined),
    onMessage: (take) => child.on('message', (message) => take(message as FromIsolate)),
    exited: new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        endGroup(child);
        resolve(`its process ${describe(code, signal, memoryMb)}`);
      });
      // Without a pid it never started, and will never exit.
      if (child.pid === undefined)
        child.once('error', (error) => resolve(`its process did not start: ${error.message}`));
    }),
    kill: () => endGroup(child),
  };
};

function describe(code: number | null, signal: string | null, memoryMb: number | undefined): string {
  if (OUT_OF_MEMORY_SIGNALS.includes(signal))
    return `was ended by ${signal}: a native crash, or it ${outOfMemory(memoryMb)}`;
  return signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone, or this platform has none.
    child.kill('SIGKILL');
  }
}

/** A second process cannot listen on the port of this one's debugger. */
function execArgv(): string[] {
  return process.execArgv.filter((argument) => !argument.startsWith('--inspect'));
}

/** What a handler need not know: Redis' address, keys, secrets, and the files that hold them. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const secrets = Object.values(SETTINGS).flatMap((setting) =>
    'secret' in setting && setting.secret ? [setting.env, `${setting.env}_FILE`] : [],
  );
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.includes(name)));
}
