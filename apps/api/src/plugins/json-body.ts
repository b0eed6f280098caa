import { isUtf8 } from 'node:buffer';
import { isNestedTooDeep, JSON_NESTING_MAX, SpillwayError } from '@spillway/contracts';
import type { App } from '../app.ts';

/** An escape that may be half a character: only then is it worth looking through the whole value. */
const MAY_BE_HALF = /\\u[dD][89a-fA-F]/;
const HALF = /\p{Surrogate}/u;

/**
 * Takes JSON bodies that everything behind here can hold: in UTF-8, of whole characters, not nested too deep, without the
 * keys that change an object's prototype. Redis' own decoder, which scripts use, fails on half a character, and with it
 * everything that was to be stored in the same call. Each fault is answered with `invalid_json`.
 */
export function registerJsonBody(app: App): void {
  const read = createJsonReader(app);
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body: Buffer, done) => {
    try {
      done(null, read(body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** Reads such a body, or a part of one. @throws SpillwayError `invalid_json` */
export function createJsonReader(app: App): (body: Buffer) => unknown {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (body) => {
    if (body.length === 0) throw invalid('expected a JSON body, got an empty one');
    if (!isUtf8(body)) throw invalid('expected a JSON body in UTF-8, got bytes that are no UTF-8');
    const text = body.toString();
    if (isNestedTooDeep(text))
      throw invalid(`expected JSON of at most ${JSON_NESTING_MAX} levels, got one that is nested deeper`);
    let read: unknown;
    // It calls back at once, gives nothing back, and makes no use of the request.
    void parse(undefined as never, text, (error, value) => {
      if (error) throw invalid(faultOf(text));
      read = value;
    });
    if (MAY_BE_HALF.test(text) && !isWellFormed(read))
      throw invalid('expected text of whole characters, got a \\u escape that is half of one');
    return read;
  };
}

function invalid(message: string): SpillwayError {
  return new SpillwayError('invalid_json', message);
}

/** Why a text was refused. It is parsed once more for that, which only wrong ones cost. */
function faultOf(text: string): string {
  try {
    JSON.parse(text);
    return 'expected plain data, got a field __proto__ or constructor.prototype';
  } catch (error) {
    return `expected a JSON body, got one that breaks off: ${(error as Error).message}`;
  }
}

/** The nesting is bounded by now, so this may call itself. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return !HALF.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, field]) => !HALF.test(key) && isWellFormed(field));
}
