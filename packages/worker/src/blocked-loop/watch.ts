import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { WorkerInfo } from '@spillway/contracts';
import type { Config, Logger } from '@spillway/runtime';

/**
 * How long the event loop may stand still before that is news: leases last 10 s and are renewed every 5 s, so there is
 * time left to act on it, and no garbage collection takes as long.
 */
const BLOCKED_MS = 2000;
const BEAT_MS = 200;

/** A job that runs on this event loop. */
export interface RunningHere {
  id: string;
  type: string;
}

/** Where the watchdog, which has stopped this thread in the middle of a handler, asks what runs: see `look.ts`. */
export const RUNNING_HERE = 'spillway.running-here';

/** What the watchdog is started with. */
export interface WatchdogSetup extends Pick<Config, 'logLevel' | 'logFormat'> {
  /** Counted up by the event loop as long as it turns. */
  beats: Int32Array;
  blockedMs: number;
  /** Types that run on this event loop, and the files that define them. */
  types: { type: string; file: string | undefined }[];
}

type BlockedReport = NonNullable<WorkerInfo['blocked']>;
export type Blocked = BlockedReport['latest'];

/** Notices handlers that keep the event loop from turning. */
export interface LoopWatch {
  /** What has happened since the start; nothing where nothing has. */
  report(): BlockedReport | undefined;
  stop(): Promise<void>;
}

/**
 * Watches this thread's event loop from another thread, which logs while the loop is blocked: a handler that never
 * returns would otherwise never be heard of. What it costs a job is nothing, and the process a thread that sleeps.
 */
export function watchLoop(setup: {
  types: WatchdogSetup['types'];
  running: () => RunningHere[];
  config: Pick<Config, 'logLevel' | 'logFormat'>;
  logger: Logger;
}): LoopWatch {
  const { types, running, logger } = setup;
  const { logLevel, logFormat } = setup.config;
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const beat = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS);
  beat.unref();
  const key = Symbol.for(RUNNING_HERE);
  Object.assign(globalThis, { [key]: () => JSON.stringify(running()) });

  const workerData: WatchdogSetup = { beats, blockedMs: BLOCKED_MS, types, logLevel, logFormat };
  const thread = new Worker(createRequire(import.meta.url).resolve('@spillway/worker/watchdog'), { workerData });
  thread.unref();
  let report: BlockedReport | undefined;
  thread.on('message', (message: Blocked) => {
    report = { times: (report?.times ?? 0) + 1, latest: message };
    logger.warn(message, 'the event loop was blocked');
  });
  // Jobs run as well without it.
  thread.on('error', (err) => logger.error({ err }, 'the watch over the event loop ended'));
  return {
    report: () => report,
    async stop() {
      clearInterval(beat);
      await thread.terminate();
    },
  };
}
