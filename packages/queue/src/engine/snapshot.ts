import type { Redis } from '@spillway/bullmq';
import type { Cursor, LogLine, OutputChunk, Snapshot } from '@spillway/contracts';
import { epochOf } from './epoch.ts';
import { readHistory } from './history.ts';
import { queueKeys } from './keys.ts';
import { type JobRecord, type Placement, toJob } from './record.ts';
import { readSnapshot } from './snapshot-script.ts';

/** What to read beside the job itself. */
export interface SnapshotWindow {
  log: { from: number; most: number };
  output: { from: number; most: number };
  /** The life of Redis' data in which the numbers were heard; in another one they count for nothing. */
  epoch?: string | undefined;
}

export interface WindowedSnapshot extends Snapshot {
  /** How many lines and chunks the job has written in all. */
  totals: { log: number; output: number };
  /** Numbers of the first line and chunk of the window, also where it is empty. */
  first: { log: number; output: number };
}

/**
 * Most bytes of log and output that Redis is asked for at a time, about a millisecond of its time. A job may have 16 MB of
 * them: asked for at once by sixty watchers that come back, Redis answered nobody for seconds, was taken for dead, and was
 * asked for the same again (docs/decisions/0006-snapshot-in-one-script.md).
 */
const PAGE_BYTES = 262_144;

type Reply = [
  position: string,
  place: Placement['place'] | null,
  score: string | null,
  record: string[],
  logFirst: number,
  lines: string[],
  outputFirst: number,
  chunks: string[],
  logTotal: number,
  outputTotal: number,
];

/** Where a watcher stands, as far as a snapshot has to know. */
export type WatchedFrom = Pick<Cursor, 'log' | 'output' | 'epoch'>;

/**
 * The window of a watcher that stands at `after`: everything that follows. It has no end: while its pages are read the job may
 * write more than it keeps, and what is told up to a position must be all up to there.
 */
export function windowAfter(after?: WatchedFrom): SnapshotWindow {
  return {
    log: { from: after?.log ?? 0, most: Number.MAX_SAFE_INTEGER },
    output: { from: after?.output ?? 0, most: Number.MAX_SAFE_INTEGER },
    epoch: after?.epoch,
  };
}

export const NO_WINDOW: SnapshotWindow = { log: { from: 0, most: 0 }, output: { from: 0, most: 0 } };

/**
 * The job at one stream position; undefined where there is no such job (any more). Log and output start at 0 for a watcher that
 * comes from another epoch. Where they are long they are read page by page: the last page is one step with the job, and what
 * the pages before it hold never changes.
 */
export async function takeSnapshot(
  redis: Redis,
  prefix: string,
  job: { queue: string; id: string },
  window: SnapshotWindow,
): Promise<WindowedSnapshot | undefined> {
  for (;;) {
    const epoch = await epochOf(redis);
    const reply = await readPages(redis, prefix, job, window.epoch === epoch ? window : vouchedFor(window));
    // Redis was restarted between the question and the reply: what was asked from there on may not be what it means now.
    if ((await epochOf(redis)) === epoch) return toSnapshot(job.id, reply, epoch);
  }
}

/** That part of a window from another epoch that can be trusted: no number. Who names no epoch takes the numbers as they are. */
function vouchedFor({ log, output, epoch }: SnapshotWindow): SnapshotWindow {
  if (epoch === undefined) return { log, output };
  return { log: { ...log, from: 0 }, output: { ...output, from: 0 } };
}

async function readPages(
  redis: Redis,
  prefix: string,
  job: { queue: string; id: string },
  window: SnapshotWindow,
): Promise<Reply> {
  let log: Part | undefined;
  let output: Part | undefined;
  for (;;) {
    const rest = { log: after(window.log, log), output: after(window.output, output) };
    const reply = await read(redis, prefix, job, rest);
    const [position, place, score, record, logFirst, lines, outputFirst, chunks, logTotal, outputTotal] = reply;
    if (!place) return reply;
    log = joined(log, { first: logFirst, items: lines });
    output = joined(output, { first: outputFirst, items: chunks });
    if (isWhole(log, window.log, logTotal) && isWhole(output, window.output, outputTotal))
      return [position, place, score, record, log.first, log.items, output.first, output.items, logTotal, outputTotal];
  }
}

/** Some of a job's lines or chunks, without a hole. */
interface Part {
  first: number;
  items: string[];
}

type Range = SnapshotWindow['log'];

/** What is left of a range behind the part of it that was read. */
function after(range: Range, read: Part | undefined): Range {
  return read ? { from: read.first + read.items.length, most: range.most - read.items.length } : range;
}

/** What goes between two pages, because a job keeps its newest only, takes with it all that came before. */
function joined(before: Part | undefined, page: Part): Part {
  if (!before || page.first > before.first + before.items.length) return page;
  return { first: before.first, items: [...before.items, ...page.items] };
}

function isWhole({ first, items }: Part, { most }: Range, total: number): boolean {
  return items.length >= most || first + items.length >= total;
}

async function read(
  redis: Redis,
  prefix: string,
  { queue, id }: { queue: string; id: string },
  { log, output }: SnapshotWindow,
): Promise<Reply> {
  const keys = queueKeys(prefix, queue);
  return (await readSnapshot(
    redis,
    [keys.job(id), keys.events, keys.completed, keys.failed, keys.delayed, keys.blocked],
    [id, log.from, output.from, log.most, output.most, PAGE_BYTES],
  )) as Reply;
}

function toSnapshot(id: string, reply: Reply, epoch: string | undefined): WindowedSnapshot | undefined {
  const [pos, place, score, record, logFirst, lines, outputFirst, chunks, logTotal, outputTotal] = reply;
  if (!place) return undefined;
  const fields = pairs(record);
  const history = readHistory({ place }, fields);
  return {
    job: {
      ...toJob(id, { place, score: score ?? undefined }, fields),
      ...(history.length > 0 && { history }),
    },
    cursor: {
      pos,
      log: logFirst + lines.length,
      output: outputFirst + chunks.length,
      ...(epoch !== undefined && { epoch }),
    },
    log: lines.map((line, index): LogLine => ({ n: logFirst + index, line })),
    output: chunks.map(
      (chunk, index): OutputChunk => ({ n: outputFirst + index, chunk: JSON.parse(chunk) as unknown }),
    ),
    totals: { log: logTotal, output: outputTotal },
    first: { log: logFirst, output: outputFirst },
  };
}

/** A flat list of fields and values, as scripts return hashes, as an object. */
export function pairs(flat: readonly string[]): JobRecord {
  const record: JobRecord = {};
  for (let index = 0; index < flat.length; index += 2) record[flat[index] ?? ''] = flat[index + 1] ?? '';
  return record;
}
