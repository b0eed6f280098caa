import type { Redis } from '@spillway/bullmq';
import { type JobError, queueOf } from '@spillway/contracts';
import { decodeFailure } from '../engine/failure.ts';
import { queueKeys } from '../engine/keys.ts';
import { type ChildLink, childLinks } from '../engine/record.ts';
import { defineScript } from '../engine/script.ts';

/** How a child of a flow's job ended. */
export type ChildEnd = { id: string; type: string } & (
  | { state: 'completed'; result: unknown }
  | { state: 'failed' | 'cancelled'; error: JobError }
);

/** Children asked for in one call, and characters after which the rest waits for the next: Redis serves nobody meanwhile. */
const CHUNK = 100;
const CHUNK_CHARS = 1_048_576;
/** All results of a job's children together, in characters of JSON; what is larger is to be passed on as files. */
const RESULTS_CHARS_MAX = 33_554_432;

/**
 * How children ended, as the parent's own keys tell it: those stay as long as the parent, whatever becomes of the children.
 *
 * KEYS  1 the parent's completed children  2 its failed children
 * ARGV  1 most characters, then the children's keys
 * Returns {result, or false, reason, or false} for each child until there are too many characters; for the first in any case.
 */
const readEnds = defineScript(`
local ends, chars = {}, 0
for at = 2, #ARGV do
  local result = redis.call('HGET', KEYS[1], ARGV[at])
  local reason = not result and redis.call('HGET', KEYS[2], ARGV[at])
  chars = chars + #(result or reason or '')
  if #ends > 0 and chars > tonumber(ARGV[1]) then break end
  ends[#ends + 1] = {result, reason}
end
return ends
`);

type End = [result: string | null, reason: string | null];

/**
 * Reads how the children of a job that runs have ended, in the order of their submission; none for a job that has none.
 * @throws RangeError where their results are too large together.
 */
export async function readChildren(redis: Redis, prefix: string, id: string): Promise<ChildEnd[]> {
  const key = queueKeys(prefix, queueOf(id) ?? '').job(id);
  const links = childLinks({ children: (await redis.hget(key, 'children')) ?? '' });
  const ends: ChildEnd[] = [];
  let chars = 0;
  while (ends.length < links.length) {
    const asked = links.slice(ends.length, ends.length + CHUNK);
    const found = (await readEnds(
      redis,
      [`${key}:processed`, `${key}:failed`],
      [CHUNK_CHARS, ...asked.map((child) => queueKeys(prefix, queueOf(child.id) ?? '').job(child.id))],
    )) as End[];
    chars += found.reduce((sum, [result]) => sum + (result?.length ?? 0), 0);
    if (chars > RESULTS_CHARS_MAX)
      throw new RangeError(
        `children: expected results of at most ${RESULTS_CHARS_MAX} characters of JSON together, got more; save them as files and return their references`,
      );
    ends.push(...found.map((end, index) => toEnd(asked[index] as ChildLink, end)));
  }
  return ends;
}

function toEnd({ id, type }: ChildLink, [result, reason]: End): ChildEnd {
  if (result !== null) return { id, type, state: 'completed', result: JSON.parse(result) as unknown };
  const error = decodeFailure(reason ?? 'child_failed: nothing is known of its end');
  return { id, type, state: error.code === 'cancelled' ? 'cancelled' : 'failed', error };
}
