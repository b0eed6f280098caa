import { comparePositions } from '@spillway/contracts';
import { defineScript } from '../engine/script.ts';

/** How far a reader has come in one event stream. */
export interface Mark {
  /** Everything up to here has been delivered. */
  pos: string;
  /** How many entries the stream ever had up to `pos`; undefined before Redis 7, which does not count them. */
  added: number | undefined;
  /** The life of Redis' data in which this is true. */
  epoch: string | undefined;
}

/** A stream as it stands now. One that does not exist begins and ends at 0-0. */
export interface Ends {
  first: string;
  last: string;
  length: number;
  added: number | undefined;
}

/**
 * KEYS  1 events
 * Returns first position, last position ever given, length, entries ever added (-1 where Redis does not count).
 * The entries stay where they are: a result may be large.
 */
const readStream = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', '0-0', 0, 0} end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local found = {}
for index = 1, #info, 2 do found[info[index]] = info[index + 1] end
local first = found['first-entry']
return {first and first[1] or '0-0', found['last-generated-id'], found['length'], found['entries-added'] or -1}
`);

/** @throws ReplyError `WRONGTYPE` where something else than a stream has the key. */
export async function readEnds(redis: Parameters<typeof readStream>[0], key: string): Promise<Ends> {
  const [first, last, length, added] = (await readStream(redis, [key], [])) as [string, string, number, number];
  return { first, last, length, added: added < 0 ? undefined : added };
}

/**
 * Why what follows the mark cannot be taken for all that happened since; undefined when nothing is missing.
 *
 * Positions alone do not tell: a stream that was deleted and written anew goes on with later positions, and one that was
 * trimmed may have lost only what was already read. The number of entries ever added tells both. Pure.
 */
export function findGap(mark: Mark, now: Ends, epoch: string | undefined): string | undefined {
  if (mark.epoch !== undefined && epoch !== undefined && mark.epoch !== epoch) return 'Redis was restarted';
  if (comparePositions(now.last, mark.pos) < 0) return 'Redis has less data than before';
  if (mark.added === undefined || now.added === undefined) {
    // Positions are all there is. A stream that began after the mark was made has its first entry behind it, too.
    return mark.pos !== '0-0' && comparePositions(now.first, mark.pos) > 0 ? 'history was trimmed' : undefined;
  }
  if (now.added < mark.added) return 'Redis has less data than before';
  return now.added - now.length > mark.added ? 'history was trimmed' : undefined;
}
