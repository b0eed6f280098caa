import type { Progress } from '@spillway/contracts';
import type { FileStoreConfig } from '@spillway/files';
import type { Config } from '@spillway/runtime';

/** What an isolate is started with, as JSON in its first argument. */
export interface IsolateSetup extends Pick<Config, 'logLevel' | 'logFormat' | 'resultLimitBytes'> {
  /** The type that it runs, and the job file that defines it. */
  type: string;
  file: string;
  /** It opens the file store by itself, so that no bytes pass through the worker. */
  files: FileStoreConfig;
}

/** One attempt, as the isolate sees it. */
export interface IsolatedTask {
  id: string;
  type: string;
  queue: string;
  attempt: number;
  failures: number;
  hasBackoff: boolean;
  input: unknown;
}

/** What an isolate is told. It runs one task at a time, and messages keep their order, so none says which task it means. */
export type ToIsolate =
  | { kind: 'run'; task: IsolatedTask }
  | { kind: 'abort'; reason: string }
  | ({ kind: 'answer' } & Answer);

/** Answers the call of that number. */
export type Answer = { call: number } & ({ value: unknown } | { problem: string });

/** What an isolate tells. All of it can be held by JSON. */
export type FromIsolate =
  | { kind: 'ready' }
  | ({ kind: 'reports' } & ReportBatch)
  | ({ kind: 'call' } & Call)
  | { kind: 'outcome'; outcome: string; cause?: SentError | undefined }
  /** The last thing it says before it ends by itself. */
  | { kind: 'dying'; message: string };

/** What the handler said in one go. */
export interface ReportBatch {
  progress?: Progress | undefined;
  lines: string[];
  /** Each as JSON. */
  chunks: string[];
}

/** A question to the worker, answered by the entry of that name in `answers.ts`. */
export interface Call {
  call: number;
  name: string;
  args: unknown[];
}

/** An error on its way to the worker's log. */
export interface SentError {
  name: string;
  message: string;
  stack?: string | undefined;
}
