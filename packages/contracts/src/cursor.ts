import type { JobEvent } from './events.ts';
import type { Cursor } from './job.ts';
import { comparePositions } from './position.ts';

/** Numbers of at most 15 digits, so that each is exact. What follows the third `~` is the epoch, whatever it holds. */
const TEXT = /^(\d{1,20}-\d{1,20})~(\d{1,15})~(\d{1,15})(?:~(\S{1,576}))?$/;
/** The same limit as in the schema of a cursor; percent-encoded, a character is nine times as long at most. */
const EPOCH_MAX = 64;

/** A cursor as text for a URL or a header: `<pos>~<log>~<output>`, and `~<epoch>` where there is one. */
export function formatCursor({ pos, log, output, epoch }: Cursor): string {
  return [pos, log, output, ...(epoch === undefined ? [] : [encodeURIComponent(epoch)])].join('~');
}

/** The cursor that `formatCursor` wrote; undefined for any other text. */
export function parseCursor(text: string): Cursor | undefined {
  const [, pos, log, output, encoded] = TEXT.exec(text) ?? [];
  if (!pos) return undefined;
  const cursor = { pos, log: Number(log), output: Number(output) };
  if (encoded === undefined) return cursor;
  const epoch = decoded(encoded);
  return epoch && epoch.length <= EPOCH_MAX ? { ...cursor, epoch } : undefined;
}

/**
 * Where a watcher stands after an event of its job: the same object where it stood behind the event already. Whether
 * numbers are missing in between is `leavesHole`'s to say. Pure.
 */
export function advanceCursor(cursor: Cursor, event: JobEvent): Cursor {
  // A place in line is no entry of the stream: events before it may still be on their way.
  if (event.kind === 'position' || comparePositions(event.pos, cursor.pos) <= 0) return cursor;
  if (event.kind !== 'report') return { ...cursor, pos: event.pos };
  return {
    ...cursor,
    pos: event.pos,
    log: Math.max(cursor.log, following(event.log)),
    output: Math.max(cursor.output, following(event.output)),
  };
}

function following(items: readonly { n: number }[] = []): number {
  const last = items.at(-1);
  return last ? last.n + 1 : 0;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // A lone `%`: we did not write that.
  }
}
