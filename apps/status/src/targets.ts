import { Cursor, type JobTarget, SpillwayError } from '@spillway/contracts';
import { compileSchema } from '@spillway/runtime';
import { Type } from 'typebox';

/** Most targets that one message may name. */
const TARGETS_MAX = 200;

const Targets = Type.Object({
  targets: Type.Array(
    Type.Object({ job: Type.String({ minLength: 1, maxLength: 128 }), after: Type.Optional(Cursor) }),
    {
      minItems: 1,
      maxItems: TARGETS_MAX,
    },
  ),
});

const check = compileSchema(Targets);

/** What a client sent as targets, checked. @throws SpillwayError `invalid_request` naming the field. */
export function readTargets(request: unknown): JobTarget[] {
  const problems = check(request);
  if (problems.length === 0) return (request as { targets: JobTarget[] }).targets;
  throw new SpillwayError(
    'invalid_request',
    `the targets are not as expected: ${problems.map(({ message }) => message).join('; ')}`,
    { errors: problems },
  );
}
