import { encodeChunk } from '@spillway/queue/chunk';
import type { Lease } from '@spillway/queue/consumer';
import type { Calls } from './calls.ts';
import type { IsolatedTask } from './messages.ts';
import { createOutbox } from './outbox.ts';
import type { WorkerLink } from './serve.ts';

/** The worker keeps the time. This is the longest that a timer can wait. */
const NO_LIMIT_MS = 2 ** 31 - 1;

/**
 * The lease of a job, as the isolate sees it: what is reported goes to the worker, which holds the true one. Once it is
 * closed, what the handler left running says nothing more.
 */
export function openRemoteLease(
  task: IsolatedTask,
  signal: AbortSignal,
  link: WorkerLink,
  calls: Calls,
): { lease: Lease; close: () => void } {
  let isOpen = true;
  const outbox = createOutbox((batch) => link.send({ kind: 'reports', ...batch }));
  // `process.exit` is not kept from anybody; what was said before it still leaves.
  const flush = () => outbox.flush();
  process.once('exit', flush);
  const reports: Lease['reports'] = {
    progress: (value) => isOpen && outbox.progress(value),
    log: (line) => isOpen && outbox.line(line),
    output: (chunk) => {
      const json = encodeChunk(chunk);
      if (isOpen) outbox.chunk(json);
    },
    async flush() {
      outbox.flush();
      await calls.call('flush');
    },
  };
  const steps: Lease['steps'] = {
    recall: (name) => calls.call('recall', name) as ReturnType<Lease['steps']['recall']>,
    remember: async (name, json) => void (await calls.call('remember', name, json)),
  };
  const children = () => calls.call('children') as ReturnType<Lease['children']>;
  return {
    lease: { ...task, timeoutMs: NO_LIMIT_MS, signal, reports, steps, children },
    close() {
      outbox.flush();
      isOpen = false;
      process.off('exit', flush);
    },
  };
}
