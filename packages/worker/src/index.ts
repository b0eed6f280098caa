export { CancelledError } from '@spillway/contracts';
export { Type } from '@spillway/schema';
export type { ChildEnd, JobContext } from './context.ts';
export {
  type BatchJobDefinition,
  type DecideBackoff,
  type DefinedJob,
  defineJob,
  type JobDefinition,
} from './define-job.ts';
export { FileRef, type FileReference, parseFileRef } from './file-ref.ts';
export type { BatchSettings, JobGroup, RunMany } from './gather.ts';
export { RetryAfterError } from './retry-after.ts';
export type { Infer, Schema, StandardSchema } from './schema.ts';
export { UnrecoverableJobError } from './unrecoverable.ts';
