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

/** Before the schema, which would describe what is wrong with each of thousands of items. */
function refuseMany(request: unknown): void {
  const targets: unknown = (request as { targets?: unknown } | null | undefined)?.targets;
  if (!Array.isArray(targets) || targets.length <= TARGETS_MAX) return;
  throw new SpillwayError('invalid_request', `/targets expected at most ${TARGETS_MAX} items, got ${targets.length}`);
}

/** What a client sent as targets, checked. @throws SpillwayError `invalid_request` naming the field. */
export function readTargets(request: unknown): JobTarget[] {
  refuseMany(request);
  const problems = check(request);
  if (problems.length === 0) return (request as { targets: JobTarget[] }).targets;
  throw new SpillwayError(
    'invalid_request',
    `the targets are not as expected: ${problems.map(({ message }) => message).join('; ')}`,
    { errors: problems },
  );
}
