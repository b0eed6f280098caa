import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openFileStore } from '@spillway/files';
import { type Config, type RunningService, runService, type ServiceSetup } from '@spillway/runtime';
import type { DefinedJob } from '@spillway/worker';
import { loadJobs, startWorker } from '@spillway/worker/host';
import { startFleet } from './fleet.ts';
import { settings } from './settings.ts';

/** The folder that a user edits; its built form lies beside this file's. */
const JOBS = fileURLToPath(new URL('./jobs', import.meta.url));
/** Handing back and closing need a moment beyond the time that jobs are given to finish. */
const CLOSING_MS = 5000;

await runService('worker', start, {
  stopMs: (config) => config.workerStopMs + CLOSING_MS,
  prepare: async (config) => (processesOf(config) === 1 ? loadJobs(config.jobs ? [JOBS, config.jobs] : [JOBS]) : []),
});

function processesOf({ workerProcesses }: Config): number {
  return workerProcesses === 'auto' ? availableParallelism() : workerProcesses;
}

function start(setup: ServiceSetup, jobs: DefinedJob[]): Promise<RunningService> {
  const count = processesOf(setup.config);
  return count === 1 ? startAlone(setup, jobs) : startFleet(count, fileURLToPath(import.meta.url), setup.logger);
}

async function startAlone(setup: ServiceSetup, jobs: DefinedJob[]): Promise<RunningService> {
  const { config } = setup;
  settings();
  // What a handler saves is its author's choice; what users send in is checked by api.
  const files = openFileStore({ location: config.files, maxBytes: config.fileLimitBytes, allowedTypes: ['*'] });
  const worker = await startWorker({ ...setup, jobs, files });
  return {
    async stop() {
      await worker.stop();
      await files.close();
    },
    hurry: () => worker.hurry(),
  };
}
