import type { OutputChunk } from '@spillway/client';
import { compact } from './compact.ts';

/** Wider tables are harder to read than JSON. */
const COLUMNS_MAX = 7;

/** Chunks that are flat objects of the same kind as a table, others as one line of JSON each. */
export function RowsView({ rows }: { rows: readonly OutputChunk[] }) {
  const table = planTable(rows.map(({ chunk }) => chunk));
  if (table?.complete) return <Table table={table} />;
  return (
    <ol class="lines">
      {rows.map(({ n, chunk }) => (
        <li key={n}>{compact(chunk)}</li>
      ))}
    </ol>
  );
}

type Row = Record<string, unknown>;

/** Objects laid out as a table. `complete` says whether the columns hold all there is. */
export interface TablePlan {
  columns: readonly string[];
  rows: readonly Row[];
  complete: boolean;
}

/** Plans a table of the plain values that the objects have; nothing where the values are no objects or have too little in common. */
export function planTable(values: readonly unknown[]): TablePlan | undefined {
  if (!values.every(isRow)) return undefined;
  const names = [...new Set(values.flatMap((row) => Object.keys(row)))];
  const plain = names.filter((name) => values.every((row) => typeof row[name] !== 'object' || row[name] === null));
  const columns = plain.slice(0, COLUMNS_MAX);
  return columns.length > 0 ? { columns, rows: values, complete: columns.length === names.length } : undefined;
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function Table({ table: { columns, rows } }: { table: TablePlan }) {
  return (
    <div class="table-box">
      <table class="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // Rows are only ever added at the end.
            <tr key={index}>
              {columns.map((column) => (
                <Cell key={column} value={row[column]} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ value }: { value: unknown }) {
  if (typeof value === 'number') return <td class="table__number">{value.toLocaleString('en')}</td>;
  return <td>{value === undefined || value === null ? '–' : compact(value)}</td>;
}
