/**
 * What `queue` uses of BullMQ and ioredis. `npm run build` makes one file of it and of what they bring along.
 */
export {
  type DeduplicationOptions,
  DelayedError,
  Job,
  type JobsOptions,
  Queue,
  UnrecoverableError,
  WaitingError,
  Worker,
} from 'bullmq';
export { Redis, type RedisOptions, ReplyError } from 'ioredis';
export { type EngineScript, engineScripts, engineVersion } from './scripts.ts';
