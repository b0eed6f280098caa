import type { FileStoreConfig } from '@spillway/files';
import type { Lease, Outcome } from '@spillway/queue/consumer';
import type { Config } from '@spillway/runtime';
import type { LoadedJob } from '../job-type.ts';
import { failed, Isolate } from './isolate.ts';
import { launchProcess } from './process.ts';
import { launchThread } from './thread.ts';

/** How long a handler has to return once its signal has aborted: enough to close what is open. */
const GRACE_MS = 2000;
/** How long an isolate stays for the next job of its type. Starting one took 0.8 s of CPU, keeping one 43 MB as a thread and 93 MB as a process. */
const IDLE_MS = 60_000;

const LAUNCH = { thread: launchThread, process: launchProcess };

/** The threads and processes of one worker in which isolated types run. Nothing is started before the first such job. */
export interface Isolates {
  /** Isolates that live, busy and idle. */
  readonly size: number;
  /** Runs one attempt in an isolate of its type. Resolves when the handler is really over: returned, or killed. Never throws. */
  run(job: LoadedJob, lease: Lease, signal: AbortSignal): Promise<Outcome>;
  /** Kills all of them and resolves once they are gone. None is started afterwards. */
  stop(): Promise<void>;
}

export interface IsolatesSetup {
  config: Pick<Config, 'logLevel' | 'logFormat' | 'resultLimitBytes'>;
  files: FileStoreConfig;
  /** Jobs at once, by queue: as many isolates stay warm for it at most. */
  concurrency: ReadonlyMap<string, number>;
  graceMs?: number;
  idleMs?: number;
}

export function createIsolates(setup: IsolatesSetup): Isolates {
  const { graceMs = GRACE_MS, idleMs = IDLE_MS } = setup;
  const living = new Set<Isolate>();
  /** Those without a job, the longest idle first, and what ends them. */
  const idle = new Map<Isolate, NodeJS.Timeout>();
  let isStopped = false;

  function take(job: LoadedJob): Isolate {
    // The latest is the warmest.
    const warm = [...idle.keys()].findLast(({ type }) => type === job.published.type);
    if (!warm) return start(job);
    clearTimeout(idle.get(warm));
    idle.delete(warm);
    return warm;
  }

  function start(job: LoadedJob): Isolate {
    const { type, queue } = job.published;
    makeRoom(queue);
    const isolate = new Isolate({ type, queue }, launch(job, setup));
    living.add(isolate);
    void isolate.exited.then(() => {
      living.delete(isolate);
      forget(isolate);
    });
    return isolate;
  }

  /** Several types may share a queue; it runs no more jobs at once for that. */
  function makeRoom(queue: string): void {
    const limit = setup.concurrency.get(queue) ?? 1;
    const used = [...living].filter((isolate) => isolate.queue === queue).length;
    const oldest = [...idle.keys()].find((isolate) => isolate.queue === queue);
    if (used >= limit && oldest) end(oldest);
  }

  function keep(isolate: Isolate): void {
    if (isolate.hasEnded || isStopped) return;
    idle.set(
      isolate,
      setTimeout(() => end(isolate), idleMs),
    );
  }

  function end(isolate: Isolate): void {
    forget(isolate);
    isolate.kill();
  }

  function forget(isolate: Isolate): void {
    clearTimeout(idle.get(isolate));
    idle.delete(isolate);
  }

  return {
    get size() {
      return living.size;
    },
    async run(job, lease, signal) {
      if (isStopped) return failed('its worker stops');
      const isolate = take(job);
      const outcome = await isolate.run(lease, signal, graceMs);
      keep(isolate);
      return outcome;
    },
    async stop() {
      isStopped = true;
      for (const timer of idle.values()) clearTimeout(timer);
      for (const isolate of living) isolate.kill('its worker stops');
      await Promise.all([...living].map(({ exited }) => exited));
    },
  };
}

function launch({ published, file, isolation }: LoadedJob, { config, files }: IsolatesSetup) {
  if (!isolation || !file) throw new TypeError(`${published.type}: expected an isolated type that a file defines`);
  const { logLevel, logFormat, resultLimitBytes } = config;
  const isolateSetup = { type: published.type, file, files, logLevel, logFormat, resultLimitBytes };
  return LAUNCH[isolation.kind](isolateSetup, isolation.memoryMb);
}
