import { isNestedTooDeep, JSON_NESTING_MAX } from '@spillway/contracts';
import { OUTPUT_CHUNK_MAX } from '../engine/limits.ts';

/**
 * A chunk of output as JSON. A door of its own: an isolated handler is refused where it stands, without a queue engine
 * being loaded there. @throws TypeError for what JSON cannot hold, RangeError for what is too large.
 */
export function encodeChunk(chunk: unknown): string {
  const text: string | undefined = JSON.stringify(chunk);
  if (text === undefined) throw new TypeError(`output: expected something that JSON can hold, got ${typeof chunk}`);
  if (text.length > OUTPUT_CHUNK_MAX) {
    throw new RangeError(
      `output: expected at most ${OUTPUT_CHUNK_MAX} characters of JSON, got ${text.length}; save it as a file and emit its reference`,
    );
  }
  if (isNestedTooDeep(text)) throw new RangeError(`output: expected at most ${JSON_NESTING_MAX} levels, got more`);
  return text;
}
