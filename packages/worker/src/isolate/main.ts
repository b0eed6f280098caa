import { isMainThread, parentPort } from 'node:worker_threads';
import type { FromIsolate, IsolateSetup, ToIsolate } from './messages.ts';
import { endWithParent } from './orphan.ts';
import { serve, type WorkerLink } from './serve.ts';

// An isolate: the thread or process in which the handler of one type runs. A worker starts it; nobody else does.
const setup = JSON.parse(process.argv[2] ?? '') as IsolateSetup;
await serve(isMainThread ? openProcess() : openThread(), setup);

function openThread(): WorkerLink {
  return {
    send: (message) => parentPort?.postMessage(message),
    listen: (take) => parentPort?.on('message', take),
    sendAndEnd(message) {
      parentPort?.postMessage(message);
      process.exit(1);
    },
  };
}

function openProcess(): WorkerLink {
  endWithParent();
  // Sent to all processes of a service by whoever stops it. The worker decides what that means for a job.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  const send = (message: FromIsolate, then?: () => void) => process.send?.(message, () => then?.());
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    send({ kind: 'dying', message: error instanceof Error ? error.message : String(error) }, () => process.exit(1));
  });
  return {
    send: (message) => send(message),
    listen: (take) => process.on('message', (message) => take(message as ToIsolate)),
    sendAndEnd: (message) => send(message, () => process.exit(1)),
  };
}
