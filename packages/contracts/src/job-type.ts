import { type Static, Type } from '@spillway/schema';
import { JobOptions } from './job.ts';

/** JSON Schema, 2020-12 or draft 7. */
export const JsonSchema = Type.Record(Type.String(), Type.Unknown());
export type JsonSchema = Static<typeof JsonSchema>;

/** A kind of job as it is published: what can be submitted, and where it runs. */
export const JobType = Type.Object(
  {
    type: Type.String(),
    queue: Type.String(),
    title: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    input: JsonSchema,
    output: Type.Optional(JsonSchema),
    defaults: JobOptions,
    examples: Type.Optional(Type.Array(Type.Unknown())),
  },
  { $id: 'JobType' },
);
export type JobType = Static<typeof JobType>;

/** A type's name: dotted words. It never contains ':' or '{', which mean something in Redis keys. */
export const TYPE_NAME = /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/;
/** A queue's name: words with dashes. Dots are left out because a job id is `<queue>.<ulid>`. */
export const QUEUE_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** Names longer than this are refused: they are repeated in every job's key. */
export const NAME_MAX_LENGTH = 64;
