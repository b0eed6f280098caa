import { Worker } from 'node:worker_threads';
import type { FromIsolate } from './messages.ts';
import { entryFile, type Launch, outOfMemory } from './vessel.ts';

export const launchThread: Launch = (setup, memoryMb) => {
  const worker = new Worker(entryFile(), {
    argv: [JSON.stringify(setup)],
    ...(memoryMb && { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
  });
  let failure: NodeJS.ErrnoException | undefined;
  worker.on('error', (error: NodeJS.ErrnoException) => {
    failure = error;
  });
  return {
    send: (message) => worker.postMessage(message),
    onMessage: (take) => worker.on('message', (message: FromIsolate) => take(message)),
    exited: new Promise((resolve) => {
      worker.on('exit', (code) => resolve(`its thread ${describe(code, failure, memoryMb)}`));
    }),
    kill: () => void worker.terminate(),
  };
};

function describe(code: number, failure: NodeJS.ErrnoException | undefined, memoryMb: number | undefined): string {
  if (!failure) return `ended with exit code ${code}`;
  if (failure.code === 'ERR_WORKER_OUT_OF_MEMORY') return outOfMemory(memoryMb);
  return `was ended by an error that nothing caught: ${failure.message ?? failure}`;
}
