// A stage holds what one measurement starts: processes and a temporary folder. Closing it ends and removes all of them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLines } from '../process/run.mjs';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * Returns an empty stage. `close()` ends it in order; `kill()` ends it at once and synchronously, for signals and failures.
 * `loss` rejects when something on it ends by itself: nobody need wait for its answers then.
 */
export function openStage() {
  const dir = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  const running = new Map();
  let onLoss;
  const loss = new Promise((_, reject) => {
    onLoss = reject;
  });
  loss.catch(() => {}); // heard by whoever waits for it, if anybody does

  function track(actor) {
    running.set(actor.child.pid, actor);
    actor.child.once('exit', (code, signal) => {
      running.delete(actor.child.pid);
      if (!actor.stopping)
        onLoss(
          new Error(`${actor.name} ended (${signal ?? `code ${code}`}); its last output:\n${tail(actor.logFile)}`),
        );
    });
    return actor;
  }

  return {
    dir,
    loss,

    /** Process ids of everything that runs on this stage now. */
    pids: () => [...running.keys()],

    /**
     * Starts a Node program and waits for its `{ kind: 'ready' }` message. Its output goes to a file, as a container's
     * would; the end of that file is part of the error when the program does not get ready. `readyMs` is how long it took.
     */
    async service(name, file, env = {}) {
      const logFile = join(dir, `${name}-${running.size}.log`);
      const output = openSync(logFile, 'a');
      const startedAt = performance.now();
      const child = fork(file, [], {
        env: { ...neutralEnv(), NODE_ENV: 'production', ...env },
        stdio: ['ignore', output, output, 'ipc'],
      });
      closeSync(output);
      const actor = track({ name, child, pid: child.pid, logFile });
      actor.ready = await readyMessage(actor);
      actor.readyMs = performance.now() - startedAt;
      return actor;
    },

    /** Takes over a process that something else started. */
    adopt: (name, child, logFile) => track({ name, child, pid: child.pid, logFile }),

    stop: (actor) => stopActor(actor),

    /** Ends a process as a crash would. */
    async crash(actor) {
      const ended = once(actor.child, 'exit');
      actor.stopping = true;
      actor.child.kill('SIGKILL');
      await ended;
    },

    async close() {
      // Last started, first stopped: the services end while their Redis is still there.
      for (const actor of [...running.values()].reverse()) await stopActor(actor);
      rmSync(dir, { recursive: true, force: true });
    },

    kill() {
      for (const { child } of running.values()) child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

/** The environment without what the user may have set for a Spillway of their own: every run starts from the defaults. */
function neutralEnv() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SPILLWAY_|WORKER_|REDIS_URL)/.test(name)),
  );
}

/** The process' first message; when it ends instead, the stage's `loss` tells. */
async function readyMessage({ child, name, logFile }) {
  try {
    const [message] = await once(child, 'message', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
    return message;
  } catch (cause) {
    const waited = `${name} was not ready after ${READY_TIMEOUT_MS / 1000} s`;
    throw new Error(`${waited}; its last output:\n${tail(logFile)}`, { cause });
  }
}

async function stopActor(actor) {
  const { child } = actor;
  actor.stopping = true;
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(force);
}

function tail(file) {
  try {
    return lastLines(readFileSync(file, 'utf8'));
  } catch {
    return '(none)';
  }
}
