export type {
  Cursor,
  FileInfo,
  Job,
  JobState,
  JobType,
  LogLine,
  OutputChunk,
  Progress,
  QueueInfo,
  WatchedJob,
  WorkerInfo,
} from '@spillway/contracts';
export { ApiError, JobFailedError, UnreachableError } from './api-error.ts';
export { type Client, type ClientOptions, createClient, type QueueControlReply, type SubmitOptions } from './client.ts';
export { fractionOf } from './fraction.ts';
export type { JobWatch } from './job-watch.ts';
export type { ConnectionState, LiveConnection } from './live.ts';
