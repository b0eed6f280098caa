/**
 * Arrays and objects inside each other in what is stored: more than any document needs, and far from where programs that
 * walk a value level by level run out of stack (JSON.stringify from about 5,000 on, Redis' own decoder from 1,000).
 */
export const JSON_NESTING_MAX = 256;

const QUOTE = 34;
const BACKSLASH = 92;

/** Whether a JSON text is nested deeper than JSON_NESTING_MAX. Reads the text without parsing it; a short one costs nothing. Pure. */
export function isNestedTooDeep(json: string): boolean {
  if (json.length <= JSON_NESTING_MAX) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfText(json, at);
    // `[` and `{`, `]` and `}` differ by one bit.
    else if ((code | 32) === 123) depth += 1;
    else if ((code | 32) === 125) depth -= 1;
    if (depth > JSON_NESTING_MAX) return true;
  }
  return false;
}

/** Where the text that begins with the quote at `start` ends. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at;
  }
  return json.length;
}
