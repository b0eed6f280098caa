import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openFileStore } from '@spillway/files';
import { type RunningService, runService, type ServiceSetup } from '@spillway/runtime';
import { loadJobs, startWorker } from '@spillway/worker/host';
import { startFleet } from './fleet.ts';
import { settings } from './settings.ts';

/** The folder that a user edits; its built form lies beside this file's. */
const JOBS = fileURLToPath(new URL('./jobs', import.meta.url));
/** Handing back and closing need a moment beyond the time that jobs are given to finish. */
const CLOSING_MS = 5000;

await runService('worker', start, (config) => config.workerStopMs + CLOSING_MS);

function start(setup: ServiceSetup): Promise<RunningService> {
  const { workerProcesses } = setup.config;
  const count = workerProcesses === 'auto' ? availableParallelism() : workerProcesses;
  return count === 1 ? startAlone(setup) : startFleet(count, fileURLToPath(import.meta.url), setup.logger);
}

async function startAlone({ config, logger }: ServiceSetup): Promise<RunningService> {
  const jobs = await loadJobs(config.jobs ? [JOBS, config.jobs] : [JOBS]);
  settings();
  // What a handler saves is its author's choice; what users send in is checked by api.
  const files = openFileStore({ location: config.files, maxBytes: config.fileLimitBytes, allowedTypes: ['*'] });
  const worker = await startWorker({ jobs, files, config, logger });
  return {
    async stop() {
      await worker.stop();
      await files.close();
    },
  };
}
