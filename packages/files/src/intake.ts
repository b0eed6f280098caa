import { Readable } from 'node:stream';
import { SpillwayError } from '@spillway/contracts';

/** Content on its way into the store: its first bytes, and all of it as a stream that ends in an error where it is too long. */
export interface Intake {
  head: Uint8Array;
  body: Readable;
  /** Bytes that have passed so far; the size once `body` has ended. */
  sizeBytes: () => number;
  /** What made `body` fail, where the content did and not the store. */
  failure: () => unknown;
  /** Lets go of the content without reading on. */
  discard: () => Promise<void>;
}

/**
 * Reads at least `headBytes` (less where the content is shorter) and gives the rest as a stream.
 * @throws SpillwayError `body_too_large` from here or from `body`; whatever the content itself fails with.
 */
export async function takeIn(content: Readable | Uint8Array, headBytes: number, maxBytes: number): Promise<Intake> {
  const chunks = chunksOf(content);
  const first: Uint8Array[] = [];
  let headSize = 0;
  while (headSize < headBytes) {
    const { done, value } = await chunks.next();
    if (done) break;
    first.push(value);
    headSize += value.byteLength;
  }
  let sizeBytes = 0;
  let failure: unknown;
  const discard = async () => void (await chunks.return(undefined));

  async function* bounded(): AsyncGenerator<Uint8Array> {
    try {
      yield* first.map(counted);
      for await (const chunk of chunks) yield counted(chunk);
    } catch (error) {
      failure = error;
      throw error;
    }
  }

  function counted(chunk: Uint8Array): Uint8Array {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
    return chunk;
  }

  return {
    head: Buffer.concat(first),
    body: Readable.from(bounded(), { objectMode: false }),
    sizeBytes: () => sizeBytes,
    failure: () => failure,
    discard,
  };
}

async function* chunksOf(content: Readable | Uint8Array): AsyncGenerator<Uint8Array, void> {
  if (content instanceof Uint8Array) {
    if (content.byteLength > 0) yield content;
    return;
  }
  for await (const chunk of content) yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
}

function tooLarge(maxBytes: number): SpillwayError {
  return new SpillwayError('body_too_large', `Expected a file of at most ${maxBytes} bytes, got more.`);
}
