export type {
  Batch,
  BatchLine,
  BatchResult,
  Cancellation,
  ControlReply,
  Cursor,
  FileInfo,
  FlowMember,
  FlowNode,
  FlowReply,
  Job,
  JobEvent,
  JobState,
  JobType,
  LogLine,
  OutputChunk,
  PlaceInLine,
  Progress,
  QueueInfo,
  QueueScaling,
  ScalingReply,
  Schedule,
  ScheduleControlReply,
  ScheduleList,
  ScheduleRequest,
  SetTarget,
  WatchedJob,
  WorkerInfo,
} from '@spillway/contracts';
export { ApiError, JobFailedError, UnreachableError } from './api-error.ts';
export type { BatchCalls } from './batch-calls.ts';
export {
  type Client,
  type ClientOptions,
  createClient,
  type LiveTiming,
  type QueueControlReply,
  type SubmitOptions,
} from './client.ts';
export { fractionOf } from './fraction.ts';
export type { JobWatch } from './job-watch.ts';
export type { StorageLike } from './kept-jobs.ts';
export type { ConnectionState, LiveConnection } from './live.ts';
export { placeText } from './place.ts';
export type { JobsById, SetWatch } from './set-watch.ts';
export type { Via } from './transport.ts';
