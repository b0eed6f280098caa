import type { Redis } from '@spillway/bullmq';
import { queueOf, type Snapshot } from '@spillway/contracts';
import { queueKeys } from '../engine/keys.ts';
import { type Placement, toJob } from '../engine/record.ts';
import { defineScript } from '../engine/script.ts';
import { LISTED, toRecord } from './list.ts';

/**
 * Jobs of one queue at one position of its event stream, as lists show them.
 *
 * KEYS  1 events  2 completed  3 failed  4 delayed  5 waiting-children
 * ARGV  1 key prefix of the queue  2 number of fields, then the fields, then the ids
 * Returns position, then for each id {place, due time's score, values of the fields}, or false where there is no such job.
 */
const readJobs = defineScript(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local reply = {last[1] and last[1][1] or '0-0'}
local fields = {unpack(ARGV, 3, 2 + ARGV[2])}

local function placeOf(id)
  if redis.call('ZSCORE', KEYS[2], id) then return 'completed', false end
  if redis.call('ZSCORE', KEYS[3], id) then return 'failed', false end
  if redis.call('EXISTS', ARGV[1] .. id .. ':lock') == 1 then return 'active', false end
  local due = redis.call('ZSCORE', KEYS[4], id)
  if due then return 'delayed', due end
  return redis.call('ZSCORE', KEYS[5], id) and 'blocked' or 'waiting', false
end

for at = 3 + ARGV[2], #ARGV do
  local id = ARGV[at]
  if redis.call('EXISTS', ARGV[1] .. id) == 0 then
    reply[#reply + 1] = false
  else
    local place, score = placeOf(id)
    reply[#reply + 1] = {place, score, redis.call('HMGET', ARGV[1] .. id, unpack(fields))}
  end
end
return reply
`);

type Reply = [position: string, ...jobs: (readonly [Placement['place'], string | null, (string | null)[]] | null)[]];

/** Jobs in one call at most: about half a millisecond, in which Redis serves nobody else. */
const CHUNK = 100;

/** The jobs that are there, in the order of their ids within a queue. */
export async function readBrief(redis: Redis, prefix: string, ids: readonly string[]): Promise<Snapshot[]> {
  const byQueue = grouped(ids, (id) => queueOf(id) ?? '');
  byQueue.delete('');
  const chunks = [...byQueue].flatMap(([queue, members]) => chunked(members).map((chunk) => [queue, chunk] as const));
  const found = await Promise.all(chunks.map(([queue, chunk]) => readChunk(redis, prefix, queue, chunk)));
  return found.flat();
}

async function readChunk(redis: Redis, prefix: string, queue: string, ids: readonly string[]): Promise<Snapshot[]> {
  const [pos, ...jobs] = await readFields(redis, prefix, { queue, ids }, LISTED);
  return ids.flatMap((id, index) => {
    const [place, score, values] = jobs[index] ?? [];
    if (!place || !values) return [];
    const job = toJob(id, { place, score: score ?? undefined }, toRecord(values));
    // Whoever holds only this stands before the first line and the first chunk.
    return [{ job, cursor: { pos, log: 0, output: 0 }, log: [], output: [] }];
  });
}

/** These fields of jobs of one queue, in the order of the ids. */
export async function readFields(
  redis: Redis,
  prefix: string,
  { queue, ids }: { queue: string; ids: readonly string[] },
  fields: readonly string[],
): Promise<Reply> {
  const keys = queueKeys(prefix, queue);
  return (await readJobs(
    redis,
    [keys.events, keys.completed, keys.failed, keys.delayed, keys.blocked],
    [keys.base, fields.length, ...fields, ...ids],
  )) as Reply;
}

function chunked(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / CHUNK) }, (_, index) =>
    ids.slice(index * CHUNK, (index + 1) * CHUNK),
  );
}

export function grouped<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
