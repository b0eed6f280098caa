import type { Cursor, LogLine, OutputChunk, Snapshot } from '@spillway/contracts';
import type { Redis } from 'ioredis';
import { queueKeys } from './keys.ts';
import { LOG_LINES_KEPT, OUTPUT_CHUNKS_KEPT } from './limits.ts';
import { type JobRecord, type Placement, toJob } from './record.ts';
import { readSnapshot } from './snapshot-script.ts';

/** What to read beside the job itself. */
export interface SnapshotWindow {
  log: { from: number; most: number };
  output: { from: number; most: number };
}

export interface WindowedSnapshot extends Snapshot {
  /** How many lines and chunks the job has written in all. */
  totals: { log: number; output: number };
  /** Numbers of the first line and chunk of the window, also where it is empty. */
  first: { log: number; output: number };
}

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

/** The window of a watcher that stands at `after`: everything that follows. */
export function windowAfter(after?: Pick<Cursor, 'log' | 'output'>): SnapshotWindow {
  return {
    log: { from: after?.log ?? 0, most: LOG_LINES_KEPT },
    output: { from: after?.output ?? 0, most: OUTPUT_CHUNKS_KEPT },
  };
}

export const NO_WINDOW: SnapshotWindow = { log: { from: 0, most: 0 }, output: { from: 0, most: 0 } };

/** Reads the job at one stream position, atomically; undefined where there is no such job (any more). */
export async function takeSnapshot(
  redis: Redis,
  prefix: string,
  { queue, id }: { queue: string; id: string },
  { log, output }: SnapshotWindow,
): Promise<WindowedSnapshot | undefined> {
  const keys = queueKeys(prefix, queue);
  const reply = (await readSnapshot(
    redis,
    [keys.job(id), keys.events, keys.completed, keys.failed, keys.delayed, keys.blocked],
    [id, log.from, output.from, log.most, output.most],
  )) as Reply;
  const [pos, place, score, record, logFirst, lines, outputFirst, chunks, logTotal, outputTotal] = reply;
  if (!place) return undefined;
  return {
    job: toJob(id, { place, score: score ?? undefined }, pairs(record)),
    cursor: { pos, log: logFirst + lines.length, output: outputFirst + chunks.length },
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
