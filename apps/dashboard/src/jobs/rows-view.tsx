import type { OutputChunk } from '@spillway/client';
import { compact } from './value-view.tsx';

/** Wider tables are harder to read than JSON. */
const COLUMNS_MAX = 7;

/** Chunks that are flat objects of the same kind as a table, others as one line of JSON each. */
export function RowsView({ rows }: { rows: readonly OutputChunk[] }) {
  const columns = columnsOf(rows);
  if (!columns) return <Lines rows={rows} />;
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
          {rows.map(({ n, chunk }) => (
            <tr key={n}>
              {columns.map((column) => (
                <Cell key={column} value={(chunk as Record<string, unknown>)[column]} />
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

function Lines({ rows }: { rows: readonly OutputChunk[] }) {
  return (
    <ol class="lines">
      {rows.map(({ n, chunk }) => (
        <li key={n}>{compact(chunk)}</li>
      ))}
    </ol>
  );
}

function columnsOf(rows: readonly OutputChunk[]): string[] | undefined {
  const names = new Set<string>();
  for (const { chunk } of rows) {
    if (typeof chunk !== 'object' || chunk === null || Array.isArray(chunk)) return undefined;
    for (const [name, value] of Object.entries(chunk)) {
      if (typeof value === 'object' && value !== null) return undefined;
      names.add(name);
    }
  }
  return names.size > 0 && names.size <= COLUMNS_MAX ? [...names] : undefined;
}
