import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '@spillway/files';
import type { Lease } from '@spillway/queue/consumer';
import type { DefinedJob } from '../src/index.ts';
import { createIsolates, type IsolatesSetup } from '../src/isolate/pool.ts';
import { runJob } from '../src/run-job.ts';
import * as isolated from './fixtures/isolated.mjs';
import * as typed from './fixtures/typed-isolated.ts';
import { makeLease, setupFor } from './lease.ts';

/** jest cannot import a file as a worker does, so the job files' names are put in here; their isolates do import them. */
export function loadedFrom(file: string, jobs: object): DefinedJob[] {
  return Object.values(jobs).map((job) => ({ ...(job as DefinedJob), file: join(__dirname, 'fixtures', file) }));
}

const ISOLATED = [
  ...loadedFrom('isolated.mjs', isolated),
  ...loadedFrom('typed-isolated.ts', typed),
  // Its file does not define it.
  { ...loadedFrom('isolated.mjs', isolated)[0]!, type: 'test.lost' },
];

/** Isolates for the types of the fixtures; they are gone at the end. */
export async function openIsolates(over: Partial<IsolatesSetup> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-isolates-'));
  const files = openFileStore({ location: folder });
  const isolates = createIsolates({
    config: { logLevel: 'silent', logFormat: 'json', resultLimitBytes: 1000 },
    files: files.config,
    concurrency: new Map([['isolated', 2]]),
    graceMs: 100,
    ...over,
  });
  const setup = { ...setupFor(...ISOLATED), isolates };
  const stop = async () => {
    await isolates.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    isolates,
    files,
    /** Runs one act of a type, as a worker would that has its lease. */
    run(type: string, input: { act: string; ms?: number; note?: string }, over: Partial<Lease> = {}) {
      return runJob(makeLease({ type, queue: 'isolated', input, ...over }), setup);
    },
    runLease: (lease: Lease) => runJob(lease, setup),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Whether a process of that id lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
