import type { Redis } from '@spillway/bullmq';

/**
 * Jobs at each end of the plain line among which one is simply looked for: about 0.2 ms. In lines up to twice as long
 * taking a job out leaves the others in their order.
 */
const NEAR = 10_000;

/**
 * Jobs that one step of a search looks at: about 1 ms of Redis, in which it serves nobody else. It hands the ids out: to
 * compare them in a script took more than four times as long.
 */
const SEARCHED = 5_000;
/** Part of a step that the next one looks at again: by that much the line may move towards its head meanwhile. */
const SEARCHED_AGAIN = 500;

/** What a script says that has changed nothing, because it needs the place of the job. */
const NEEDS_PLACE = -5;

/**
 * Lua function `takeFromLine(line, id, place)`: takes a job out of the plain line without going through all of it, as LREM
 * does (15 ms for a million jobs, and growing). Near the ends it is cut out. In the middle of a long line the place is found
 * by the time in the ids, as most jobs stand in the order in which they were made, and the last in line takes it: so nobody
 * waits longer than before, and one waits less.
 *
 * A job that stands elsewhere (it was delayed or retried, and others came meanwhile) is not found like this: the answer is nil
 * where `place` is '', and whoever called looks for it in steps (`withPlace`) and says where it was.
 * Returns 1, 0 where it is not in the line, or nil, which a script hands on as -5. The newest job stands at 0.
 */
export const LINE_FUNCTIONS = `
-- Of three neighbours the middle one: a job that took another's place says nothing about where it stands.
local function madeAt(line, place)
  local times = {}
  for index, id in ipairs(redis.call('LRANGE', line, math.max(place - 1, 0), place + 1)) do times[index] = string.sub(id, -26, -17) end
  table.sort(times)
  return times[math.ceil(#times / 2)]
end

local function placeByTime(line, id, length)
  local time, low, high = string.sub(id, -26, -17), 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if madeAt(line, middle) > time then low = middle + 1 else high = middle end
  end
  return low
end

local function placeNear(line, id, place)
  local first = math.max(place - ${NEAR / 10}, 0)
  for offset, found in ipairs(redis.call('LRANGE', line, first, place + ${NEAR / 10})) do
    if found == id then return first + offset - 1 end
  end
end

local function takeFromLine(line, id, place)
  if redis.call('LPOS', line, id, 'RANK', -1, 'MAXLEN', ${NEAR}) then return redis.call('LREM', line, -1, id) end
  if redis.call('LPOS', line, id, 'MAXLEN', ${NEAR}) then return redis.call('LREM', line, 1, id) end
  local length = redis.call('LLEN', line)
  if length <= ${2 * NEAR} then return 0 end
  local found = placeNear(line, id, tonumber(place) or placeByTime(line, id, length))
  if found then
    redis.call('LSET', line, found, redis.call('LINDEX', line, 0))
    redis.call('LPOP', line)
    return 1
  end
  if place == '' then return nil end
  return redis.call('LREM', line, -1, id)
end
`;

/** Runs a script that takes a job out of the line; where it needs the job's place, looks for that and runs it again. */
export async function withPlace(
  { redis, line, id }: { redis: Redis; line: string; id: string },
  run: (place: number | '') => Promise<unknown>,
): Promise<unknown> {
  const answer = await run('');
  return answer === NEEDS_PLACE ? run(await search(redis, line, id)) : answer;
}

/** From the head on, where new jobs come: they push a job that is not found yet ahead of the search, never behind it. */
async function search(redis: Redis, line: string, id: string): Promise<number> {
  for (let first = 0; ; first += SEARCHED - SEARCHED_AGAIN) {
    const ids = await redis.lrange(line, first, first + SEARCHED - 1);
    const place = ids.indexOf(id);
    if (place >= 0 || ids.length < SEARCHED) return first + Math.max(place, 0);
  }
}
