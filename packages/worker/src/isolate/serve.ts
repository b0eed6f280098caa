import { openFileStore } from '@spillway/files';
import type { Outcome } from '@spillway/queue/consumer';
import { createLogger } from '@spillway/runtime';
import { loadJob } from '../job-type.ts';
import { loadFile } from '../load-jobs.ts';
import { attempt, type RunSetup } from '../run-job.ts';
import { type Calls, createCalls } from './calls.ts';
import type { FromIsolate, IsolatedTask, IsolateSetup, SentError, ToIsolate } from './messages.ts';
import { openRemoteLease } from './remote-lease.ts';

/** The way to the worker. */
export interface WorkerLink {
  send(message: FromIsolate): void;
  listen(take: (message: ToIsolate) => void): void;
  /** Ends this thread or process once the message has left. */
  sendAndEnd(message: FromIsolate): void;
}

/** Loads the type, says that it is ready, and runs one task after the other until it is killed. */
export async function serve(link: WorkerLink, setup: IsolateSetup): Promise<void> {
  const calls = createCalls((call) => link.send({ kind: 'call', ...call }));
  try {
    const runSetup = await load(setup);
    link.listen(receive(link, runSetup, calls));
    link.send({ kind: 'ready' });
  } catch (error) {
    link.sendAndEnd({ kind: 'dying', message: error instanceof Error ? error.message : String(error) });
  }
}

async function load({ type, file, files, logLevel, logFormat, resultLimitBytes }: IsolateSetup): Promise<RunSetup> {
  const job = (await loadFile(file)).find((candidate) => candidate.type === type);
  if (!job) throw new Error(`expected ${file} to define ${type}, and it no longer does`);
  return {
    jobs: new Map([[type, loadJob(job)]]),
    files: openFileStore(files),
    logger: createLogger('worker', { logLevel, logFormat }),
    resultLimitBytes,
  };
}

function receive(link: WorkerLink, setup: RunSetup, calls: Calls): (message: ToIsolate) => void {
  let controller: AbortController | undefined;
  return (message) => {
    switch (message.kind) {
      case 'run':
        controller = new AbortController();
        void run(message.task, controller.signal);
        return;
      case 'abort':
        controller?.abort(new Error(message.reason));
        return;
      case 'answer':
        calls.settle(message);
    }
  };

  async function run(task: IsolatedTask, signal: AbortSignal): Promise<void> {
    const { lease, close } = openRemoteLease(task, signal, link, calls);
    const logger = () => setup.logger.child({ jobId: task.id, type: task.type, attempt: task.attempt });
    const outcome = await attempt(lease, setup, logger);
    close();
    link.send({ kind: 'outcome', ...encodeOutcome(outcome) });
  }
}

/** JSON holds what is stored of a result, and nothing that could not be sent. */
function encodeOutcome(outcome: Outcome): { outcome: string; cause?: SentError } {
  if (outcome.kind === 'completed' || !outcome.cause) return { outcome: JSON.stringify(outcome) };
  const { cause, ...rest } = outcome;
  const { name, message, stack } = cause;
  return {
    outcome: JSON.stringify(rest),
    cause: { name: cut(name), message: cut(message), stack: stack && cut(stack) },
  };
}

/** An error of a handler can hold a whole document in its message. */
function cut(text: unknown): string {
  return String(text).slice(0, 20_000);
}
