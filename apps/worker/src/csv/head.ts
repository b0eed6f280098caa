import type { Readable } from 'node:stream';
import { isText } from '@spillway/files';
import { UnrecoverableJobError } from '@spillway/worker';

/** Enough rows to tell how a file is written, of all but the widest ones. */
const HEAD_BYTES = 64 * 1024;

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** A text that has been looked at without losing its beginning. */
export interface OpenText {
  encoding: Encoding;
  /** Its first characters. */
  head: string;
  /** All of it from the first byte, in UTF-8. */
  utf8: AsyncGenerator<Uint8Array>;
  /** How many of the stream's bytes have been taken from `utf8`. */
  bytesRead: () => number;
}

/** @throws UnrecoverableJobError where the bytes are no text; whatever the stream fails with. */
export async function openText(name: string, stream: Readable): Promise<OpenText> {
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let headBytes = 0;
  while (headBytes < HEAD_BYTES) {
    const { done, value } = await chunks.next();
    if (done) break;
    first.push(value);
    headBytes += value.byteLength;
  }
  const bytes = Buffer.concat(first);
  if (bytes.length === 0) throw new UnrecoverableJobError(`expected a CSV, got ${name}, which is empty`);
  if (!isText(bytes)) throw new UnrecoverableJobError(`expected a CSV, got ${name}, which is binary data, not text`);
  const encoding = encodingOf(bytes);
  let bytesRead = 0;

  async function* whole(): AsyncGenerator<Uint8Array> {
    bytesRead += bytes.length;
    yield bytes;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      bytesRead += next.value.byteLength;
      yield next.value;
    }
  }

  return {
    encoding,
    head: new TextDecoder(encoding).decode(bytes),
    utf8: encoding === 'utf-8' ? whole() : decoded(encoding, whole()),
    bytesRead: () => bytesRead,
  };
}

async function* decoded(encoding: Encoding, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

/** By the byte order mark, else UTF-8 where the bytes are valid as that; what is left is nearly always Windows-1252. */
function encodingOf(bytes: Uint8Array): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return 'utf-8';
  } catch {
    return 'windows-1252';
  }
}
