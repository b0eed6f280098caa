import { parse } from 'csv-parse/sync';
import { kindOf } from './kind.ts';

const DELIMITERS = [',', ';', '\t', '|'] as const;
const SAMPLE_ROWS = 50;

/** How a CSV is written. */
export interface Dialect {
  delimiter: string;
  /** Whether the first row names the columns. */
  header: boolean;
}

/** Tells from a file's first characters how it is written; what is given in `known` is taken as it is. Pure. */
export function detectDialect(head: string, known: Partial<Dialect> = {}): Dialect {
  const delimiter = known.delimiter ?? detectDelimiter(head);
  return { delimiter, header: known.header ?? looksLikeHeader(sampleRows(head, delimiter)[0] ?? []) };
}

/** The delimiter that gives most rows the same number of columns, more than one; of equal ones, that with more columns. */
function detectDelimiter(head: string): string {
  const ranked = DELIMITERS.map((delimiter) => ({ delimiter, ...regularity(sampleRows(head, delimiter)) }))
    .filter(({ columns }) => columns > 1)
    .sort((a, b) => b.share - a.share || b.columns - a.columns);
  return ranked[0]?.delimiter ?? ',';
}

function regularity(rows: readonly string[][]): { columns: number; share: number } {
  const counts = new Map<number, number>();
  for (const { length } of rows) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [columns, count] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [0, 0];
  return { columns, share: count / Math.max(1, rows.length) };
}

function sampleRows(head: string, delimiter: string): string[][] {
  // The last line may be cut off; a head of one line is taken as it is.
  const lines = head.slice(0, head.lastIndexOf('\n') + 1) || head;
  try {
    return parse(lines, {
      delimiter,
      bom: true,
      to: SAMPLE_ROWS,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
  } catch {
    // Quotes that do not close under this delimiter: it is not the one.
    return [];
  }
}

function looksLikeHeader(row: readonly string[]): boolean {
  const names = row.map((name) => name.trim());
  return (
    names.length > 0 && new Set(names).size === names.length && names.every((name) => name && kindOf(name) === 'text')
  );
}
