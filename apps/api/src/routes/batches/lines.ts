/** A line of a stream, numbered from 1; without its bytes where it has too many. */
export interface Line {
  number: number;
  bytes: Buffer | undefined;
}

const LINE_END = 0x0a;
const BLANK = /^\s*$/;

/**
 * Splits a stream into lines as they arrive: those that one piece of the stream ends come together. It holds one piece and
 * the beginning of one line, whatever the stream brings; blank lines are numbered and left out. The next piece is asked for
 * only once the lines of this one are done with, so a slow reader slows the sender down.
 */
export async function* readLines(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line[], void> {
  let number = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;

  function hold(part: Buffer): void {
    heldBytes += part.length;
    if (heldBytes > maxBytes) held = [];
    else held.push(part);
  }

  function close(part: Buffer): Line[] {
    hold(part);
    number += 1;
    const bytes = heldBytes > maxBytes ? undefined : Buffer.concat(held);
    held = [];
    heldBytes = 0;
    return bytes && BLANK.test(bytes.toString('latin1')) ? [] : [{ number, bytes }];
  }

  for await (const piece of pieces) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = piece.indexOf(LINE_END); end >= 0; end = piece.indexOf(LINE_END, from)) {
      lines.push(...close(piece.subarray(from, end)));
      from = end + 1;
    }
    hold(piece.subarray(from));
    if (lines.length > 0) yield lines;
  }
  if (heldBytes > 0) yield close(Buffer.alloc(0));
}
