import { Cursor, type JobTarget, type OpsTarget, type SetTarget, SpillwayError } from '@spillway/contracts';
import { compileSchema } from '@spillway/runtime';
import { type TSchema, Type } from '@spillway/schema';

/** Most targets that one message may name. */
const TARGETS_MAX = 200;

const name = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const compileTargets = (fields: Record<string, TSchema>) =>
  compileSchema(Type.Object({ targets: Type.Array(Type.Object(fields), { minItems: 1, maxItems: TARGETS_MAX }) }));

const checkTargets = compileTargets({ job: name(128), after: Type.Optional(Cursor), batch: name(128), tag: name(100) });
const checkOpsTargets = compileTargets({ queue: name(64), tenant: name(64) });

interface Named {
  job?: string;
  after?: Cursor;
  batch?: string;
  tag?: string;
  queue?: string;
  tenant?: string;
}

/** Before the schema, which would describe what is wrong with each of thousands of items. */
function refuseMany(request: unknown): void {
  const targets: unknown = (request as { targets?: unknown } | null | undefined)?.targets;
  if (!Array.isArray(targets) || targets.length <= TARGETS_MAX) return;
  throw new SpillwayError('invalid_request', `/targets expected at most ${TARGETS_MAX} items, got ${targets.length}`);
}

/** What a client sent as targets, checked. @throws SpillwayError `invalid_request` naming the field. */
export function readTargets(request: unknown): (JobTarget | SetTarget)[] {
  return read(request, checkTargets, ['job', 'batch', 'tag']).map(({ job, after, batch, tag }) => {
    if (job !== undefined) return { job, ...(after && { after }) };
    return batch !== undefined ? { batch } : { tag: tag ?? '' };
  });
}

/** The same in the namespace of operators. @throws SpillwayError `invalid_request` naming the field. */
export function readOpsTargets(request: unknown): OpsTarget[] {
  return read(request, checkOpsTargets, ['queue', 'tenant']).map(({ queue, tenant }) =>
    queue !== undefined ? { queue } : { tenant: tenant ?? '' },
  );
}

/** Leaving what cannot be named is leaving nothing. */
export function targetsOrNone<T>(readThem: () => T[]): T[] {
  try {
    return readThem();
  } catch {
    return [];
  }
}

function read(request: unknown, check: ReturnType<typeof compileTargets>, kinds: readonly (keyof Named)[]): Named[] {
  refuseMany(request);
  const problems = check(request);
  if (problems.length > 0) {
    throw new SpillwayError(
      'invalid_request',
      `the targets are not as expected: ${problems.map(({ message }) => message).join('; ')}`,
      { errors: problems },
    );
  }
  const { targets } = request as { targets: Named[] };
  for (const [index, target] of targets.entries()) assertOneKind(target, `/targets/${index}`, kinds);
  return targets;
}

function assertOneKind(target: Named, pointer: string, kinds: readonly (keyof Named)[]): void {
  const given = kinds.filter((kind) => target[kind] !== undefined);
  if (given.length === 1) return;
  const message = `${pointer} expected one of ${kinds.join(', ')}, got ${given.join(' and ') || 'none'}`;
  throw new SpillwayError('invalid_request', `the targets are not as expected: ${message}`, {
    errors: [{ pointer, message }],
  });
}
