import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UnrecoverableJobError } from '@spillway/worker';
import { CsvError, type Options, Parser } from 'csv-parse';
import { Column, type ColumnProfile } from './column.ts';
import { type Dialect, detectDialect } from './dialect.ts';
import { type Encoding, openText } from './head.ts';

const MAX_COLUMNS = 1000;
/** A quote that is never closed makes the rest of the file one row: it is given up here, not when memory is. */
const MAX_ROW_BYTES = 1024 * 1024;
/** Different values remembered over all columns, so that a wide table takes no more memory than a narrow one. */
const REMEMBERED_VALUES = 100_000;
const REMEMBERED_PER_COLUMN = 1000;
const RAGGED_LINES = 20;

export interface CsvProfile extends Dialect {
  rows: number;
  encoding: Encoding;
  columns: ColumnProfile[];
  /** Rows with more or fewer cells than the first, and the lines where the first of them end. */
  ragged: { rows: number; lines: number[] };
}

export interface ProfileOptions {
  known: Partial<Dialect>;
  /** Cells that count as missing, beside empty ones. */
  missing: readonly string[];
  signal: AbortSignal;
  /** Called for every piece that was read. */
  onRead: (sofar: { bytes: number; rows: number; columns: readonly Column[] }) => void;
}

/**
 * Profiles a CSV in one pass and bounded memory, whatever its size.
 * @throws UnrecoverableJobError saying what is wrong with the file and in which line; whatever the stream fails with.
 */
export async function profileCsv(
  { name, stream }: { name: string; stream: Readable },
  { known, missing, signal, onRead }: ProfileOptions,
): Promise<CsvProfile> {
  try {
    const text = await openText(name, stream);
    const dialect = detectDialect(text.head, known);
    const table = new Table(dialect.header, missing);
    const parser = new RowParser(parserOptions(dialect), table);
    const bytes = Readable.from(text.utf8, { objectMode: false });
    bytes.on('data', () => onRead({ bytes: text.bytesRead(), rows: table.rows, columns: table.columns }));
    await pipeline(bytes, parser.resume(), { signal });
    return { ...dialect, encoding: text.encoding, ...table.profile() };
  } catch (error) {
    throw error instanceof CsvError ? brokenCsv(name, error) : error;
  } finally {
    stream.destroy();
  }
}

function parserOptions({ delimiter }: Dialect): Options {
  return {
    delimiter,
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  };
}

/**
 * Takes each row as it is parsed, so that none is queued: through the stream, or the parser's own `on_record` hook, a
 * million rows cost 4 s more.
 */
class RowParser extends Parser {
  readonly #table: Table;

  constructor(options: Options, table: Table) {
    super(options);
    this.#table = table;
  }

  override push(row: string[] | null): boolean {
    if (row === null) return super.push(null);
    try {
      this.#table.add(row, this.info.lines);
    } catch (error) {
      // Thrown here, it would reach nobody: the stream machinery calls this.
      this.destroy(error as Error);
    }
    return true;
  }
}

function brokenCsv(name: string, error: CsvError): UnrecoverableJobError {
  return new UnrecoverableJobError(`expected a well-formed CSV, got ${name}: ${error.message}`, { cause: error });
}

/** The rows as they pass by. */
class Table {
  rows = 0;
  columns: readonly Column[] = [];
  readonly #hasHeader: boolean;
  readonly #missing: ReadonlySet<string>;
  readonly #ragged: CsvProfile['ragged'] = { rows: 0, lines: [] };

  constructor(hasHeader: boolean, missing: readonly string[]) {
    this.#hasHeader = hasHeader;
    this.#missing = new Set(['', ...missing]);
  }

  add(row: readonly string[], line: number): void {
    if (this.columns.length === 0) {
      this.columns = this.#nameColumns(row);
      if (this.#hasHeader) return;
    }
    this.rows++;
    if (row.length !== this.columns.length) this.#noteRagged(line);
    for (let i = 0; i < this.columns.length; i++) {
      const cell = row[i]?.trim() ?? '';
      const column = this.columns[i] as Column;
      if (this.#missing.has(cell)) column.missing++;
      else column.add(cell);
    }
  }

  profile(): Pick<CsvProfile, 'rows' | 'columns' | 'ragged'> {
    return { rows: this.rows, columns: this.columns.map((column) => column.profile()), ragged: this.#ragged };
  }

  #nameColumns(row: readonly string[]): Column[] {
    if (row.length > MAX_COLUMNS) {
      throw new UnrecoverableJobError(`expected a CSV of at most ${MAX_COLUMNS} columns, got ${row.length}`);
    }
    const limit = Math.min(REMEMBERED_PER_COLUMN, Math.floor(REMEMBERED_VALUES / row.length));
    const nameOf = (cell: string, index: number) => (this.#hasHeader && cell.trim()) || `column ${index + 1}`;
    return row.map((cell, index) => new Column(nameOf(cell, index), limit));
  }

  #noteRagged(line: number): void {
    this.#ragged.rows++;
    if (this.#ragged.lines.length < RAGGED_LINES) this.#ragged.lines.push(line);
  }
}
