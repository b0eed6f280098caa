import type { IncomingMessage } from 'node:http';
import {
  BATCH_LINES_MAX,
  BATCH_PROBLEMS_MAX,
  type BatchEntry,
  type BatchStreamReply,
  SpillwayError,
} from '@spillway/contracts';
import { type BatchContext, storeEntries } from './entries.ts';
import { type Line, readLines } from './lines.ts';

export type StreamTally = Omit<BatchStreamReply, 'watch'>;

interface StreamSetup extends BatchContext {
  readJson: (bytes: Buffer) => unknown;
  maxLineBytes: number;
}

/**
 * Stores the jobs of a stream of lines as they arrive, and seals the batch with its end, also where that is the sender's:
 * what has arrived then is the batch. Where Redis goes away meanwhile, the batch seals itself a little later.
 * @throws SpillwayError `unavailable`, and `request_timeout` where the stream broke off
 */
export async function storeStream(body: IncomingMessage, setup: StreamSetup): Promise<StreamTally> {
  const tally: StreamTally = { id: setup.writer.id, lines: 0, accepted: 0, replayed: 0, refused: 0, problems: [] };
  try {
    await storeLines(body, setup, tally);
  } catch (error) {
    // What else the sender has is of no use any more, and must not stand in the way of the answer.
    body.resume();
    if (!body.destroyed || body.complete) {
      setup.writer.abandon();
      throw told(error, tally);
    }
    await setup.writer.seal();
    throw new SpillwayError(
      'request_timeout',
      `expected a stream that goes on to its end, got one that broke off after line ${tally.lines}`,
      { cause: error },
    );
  }
  await setup.writer.seal();
  return tally;
}

async function storeLines(body: IncomingMessage, setup: StreamSetup, tally: StreamTally): Promise<void> {
  const pieces: AsyncIterable<Buffer> = body.iterator({ destroyOnReturn: false });
  for await (const lines of readLines(pieces, setup.maxLineBytes)) {
    const entries = await storeEntries(setup, lines.length, (index) => readLine(lines[index] as Line, setup));
    for (const [index, { number }] of lines.entries()) count(tally, number, entries[index] as BatchEntry);
    setup.writer.refused = tally.refused;
  }
}

function readLine({ number, bytes }: Line, { readJson, maxLineBytes }: StreamSetup): unknown {
  if (number > BATCH_LINES_MAX)
    throw new SpillwayError(
      'body_too_large',
      `expected at most ${BATCH_LINES_MAX} lines, got more; send several batches`,
    );
  if (!bytes) throw new SpillwayError('body_too_large', `expected a line of at most ${maxLineBytes} bytes, got more`);
  return readJson(bytes);
}

function count(tally: StreamTally, line: number, entry: BatchEntry): void {
  tally.lines = line;
  if (!('error' in entry)) {
    tally.accepted += 1;
    if (entry.replayed || entry.deduplicated) tally.replayed += 1;
    return;
  }
  tally.refused += 1;
  if (tally.problems.length < BATCH_PROBLEMS_MAX) tally.problems.push({ line, ...entry.error });
}

/** Says which batch has what was stored before. */
function told(error: unknown, { id, lines }: StreamTally): unknown {
  if (!(error instanceof SpillwayError)) return error;
  return new SpillwayError(
    error.code,
    `${error.message}; batch ${id} has the jobs up to line ${lines}, and seals itself`,
    {
      cause: error,
    },
  );
}
