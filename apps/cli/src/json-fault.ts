/** Where a text stops being JSON, and what should have stood there. */
export interface JsonFault {
  /** Index into the text; its length when the text ends too early. */
  offset: number;
  expected: string;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
// Control characters may not stand in a string as they are.
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON names exactly these.
const STRING_PART = /[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Finds the first fault; undefined when the text is JSON. Only for messages about a text that JSON.parse refused: what
 * engines say of the place differs and is sometimes nothing. Pure.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.value('a JSON value');
    scanner.end();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return { offset: error.offset, expected: error.expected };
    throw error;
  }
}

class Fault extends Error {
  readonly offset: number;
  readonly expected: string;

  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(expected: string): void {
    this.#skip(SPACE);
    const next = this.#text[this.#at];
    if (next === '{') this.#items('}', () => this.#member());
    else if (next === '[') this.#items(']', () => this.value('a value or "]"'));
    else if (next === '"') this.#string();
    else if (!this.#skip(WORD) && !this.#skip(NUMBER)) throw new Fault(this.#at, expected);
    this.#skip(SPACE);
  }

  end(): void {
    if (this.#at < this.#text.length) throw new Fault(this.#at, 'the end of the text');
  }

  /** The items of an object or array, from its opening character to `close`. */
  #items(close: string, item: () => void): void {
    this.#at += 1;
    this.#skip(SPACE);
    if (this.#take(close)) return;
    do item();
    while (this.#take(','));
    if (!this.#take(close)) throw new Fault(this.#at, `"," or "${close}"`);
  }

  #member(): void {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== '"') throw new Fault(this.#at, 'a name in double quotes');
    this.#string();
    this.#skip(SPACE);
    if (!this.#take(':')) throw new Fault(this.#at, '":"');
    this.value('a value after ":"');
  }

  #string(): void {
    this.#at += 1;
    while (this.#skip(STRING_PART));
    if (!this.#take('"')) throw new Fault(this.#at, 'the closing double quote of a string');
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** Moves past what matches here; says whether that was anything. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }
}
