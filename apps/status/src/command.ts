import { CancelReason, type Command, type CommandReply, SpillwayError, unknownJob } from '@spillway/contracts';
import type { Cancel } from '@spillway/queue/cancel';
import type { Reader } from '@spillway/queue/reader';
import { compileSchema } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import type { Access } from './access.ts';

const check = compileSchema(
  Type.Object(
    {
      id: Type.String({ minLength: 1, maxLength: 128 }),
      job: Type.String({ minLength: 1, maxLength: 128 }),
      do: Type.Enum(['cancel']),
      reason: Type.Optional(CancelReason),
    },
    { additionalProperties: false },
  ),
);

/**
 * Carries out an order of a client, once however often it is sent: the queue keeps the answer with the effect. `job` in
 * the reply is the job as it is now, also for a repeat.
 * @throws SpillwayError `invalid_request`; `job_not_found`, also where the caller may not see the job; `forbidden` where it
 * sees the job but may not command it; `command_id_reused`; and what cancel throws
 */
export async function obey(
  request: unknown,
  access: Access,
  { reader, cancel }: { reader: Reader; cancel: Cancel },
): Promise<Exclude<CommandReply, { error: unknown }>> {
  const { id, job, reason } = readCommand(request);
  const found = await reader.job(job);
  if (!access.mayCommand(found)) throw access.maySee(found) ? mayNotCommand(job) : unknownJob(job);
  const { done } = await cancel(job, access.caller, { reason, commandId: id });
  return { done, job: await reader.job(job) };
}

function readCommand(request: unknown): Command {
  const problems = check(request);
  if (problems.length === 0) return request as Command;
  throw new SpillwayError(
    'invalid_request',
    `the command is not as expected: ${problems.map(({ message }) => message).join('; ')}`,
    { errors: problems },
  );
}

function mayNotCommand(id: string): SpillwayError {
  return new SpillwayError('forbidden', `expected the right to command ${id}, got only that to watch it`);
}
