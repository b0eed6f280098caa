import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Logger, RunningService } from '@spillway/runtime';

/** A process that dies is replaced, after a pause that grows while its successors die young too. */
const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 10_000;
const YOUNG_MS = 10_000;

/**
 * Runs `count` worker processes of `main`, each with `WORKER_PROCESSES=1`, and replaces any that dies. Resolves once all
 * take jobs; rejects when one cannot start. Children that lose their parent stop by themselves.
 */
export async function startFleet(count: number, main: string, logger: Logger): Promise<RunningService> {
  const seats = Array.from({ length: count }, () => openSeat(main, logger));
  try {
    await Promise.all(seats.map((seat) => seat.ready));
  } catch (error) {
    await Promise.all(seats.map((seat) => seat.stop()));
    throw error;
  }
  return {
    stop: async () => {
      await Promise.all(seats.map((seat) => seat.stop()));
    },
    hurry() {
      for (const seat of seats) seat.hurry();
    },
  };
}

interface Seat {
  ready: Promise<void>;
  stop(): Promise<void>;
  /** To be called while it stops: the second signal cuts that short. */
  hurry(): void;
}

function openSeat(main: string, logger: Logger): Seat {
  let stopping = false;
  let pauseMs = RESTART_MIN_MS;
  let restart: NodeJS.Timeout | undefined;
  let child = launch();
  const ready = untilReady(child);

  function launch(): ChildProcess {
    // In a group of its own, so that Ctrl-C in a terminal reaches this process only, which then stops its children once.
    const launched = fork(main, { detached: true, env: { ...process.env, WORKER_PROCESSES: '1' } });
    const launchedAt = Date.now();
    launched.once('exit', (code, signal) => {
      if (stopping) return;
      pauseMs = Date.now() - launchedAt < YOUNG_MS ? Math.min(pauseMs * 2, RESTART_MAX_MS) : RESTART_MIN_MS;
      logger.error({ code, signal, pauseMs }, 'a worker process died and is replaced');
      restart = setTimeout(() => {
        child = launch();
      }, pauseMs);
    });
    return launched;
  }

  return {
    ready,
    async stop() {
      stopping = true;
      clearTimeout(restart);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
    hurry: () => void child.kill('SIGTERM'),
  };
}

async function untilReady(child: ChildProcess): Promise<void> {
  const ready = once(child, 'message').then(() => 'ready' as const);
  const exited = once(child, 'exit').then(() => 'exited' as const);
  if ((await Promise.race([ready, exited])) === 'exited')
    throw new Error('a worker process could not start; its message stands above');
}
