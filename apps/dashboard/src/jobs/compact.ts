/** A value on one line: text as it is, everything else as JSON. */
export function compact(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
