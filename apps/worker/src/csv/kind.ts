/** What one cell looks like. */
export type Kind = 'integer' | 'number' | 'boolean' | 'date' | 'text';

/** What a column holds: the kind of all its cells, `text` where they differ, `empty` where there are none. */
export type ColumnType = Kind | 'empty';

const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Postal codes, article numbers: digits, and no quantity. */
const LEADING_ZERO = /^[+-]?0\d/;
const BOOLEAN = /^(?:true|false|yes|no)$/i;
/** ISO 8601: a date, or a date and a time. */
const DATE =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?$/;
/** Longer cells are text; no pattern needs to look at them. */
const MAX_LENGTH = 40;

export function kindOf(cell: string): Kind {
  if (cell.length > MAX_LENGTH) return 'text';
  if (NUMBER.test(cell)) {
    if (LEADING_ZERO.test(cell)) return 'text';
    return INTEGER.test(cell) ? 'integer' : 'number';
  }
  if (DATE.test(cell)) return 'date';
  return BOOLEAN.test(cell) ? 'boolean' : 'text';
}

/** The type of a column whose cells are of these kinds. Pure. */
export function columnType(kinds: ReadonlySet<Kind>): ColumnType {
  if (kinds.size === 0) return 'empty';
  const [first] = kinds;
  if (first && kinds.size === 1) return first;
  const numeric = kinds.size === 2 && kinds.has('integer') && kinds.has('number');
  return numeric ? 'number' : 'text';
}
