import { compact } from './compact.ts';
import { planTable, Table } from './rows-view.tsx';

/** An object as names and values, with a table for what is a list of alike; the whole as JSON where that left something out. */
export function ValueView({ value }: { value: unknown }) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return <Json value={value} />;
  const parts = Object.entries(value);
  const facts = parts.filter(([, part]) => isShort(part));
  const tables = parts.filter(([, part]) => !isShort(part)).map(([name, part]) => ({ name, table: tableOf(part) }));
  if (facts.length + tables.filter(({ table }) => table).length === 0) return <Json value={value} />;
  return (
    <>
      {facts.length > 0 && <Facts facts={facts} />}
      {tables.map(({ name, table }) => table && <NamedTable key={name} name={name} table={table} />)}
      {tables.some(({ table }) => !table?.complete) && (
        <details class="whole">
          <summary>All of it as JSON</summary>
          <Json value={value} />
        </details>
      )}
    </>
  );
}

function NamedTable({ name, table }: { name: string; table: NonNullable<ReturnType<typeof planTable>> }) {
  return (
    <div class="facts__table">
      <p>{name}</p>
      <Table table={table} />
    </div>
  );
}

function Facts({ facts }: { facts: [name: string, fact: unknown][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, fact]) => (
        <div key={name} class="facts__one">
          <dt>{name}</dt>
          <dd>{compact(fact)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Json({ value }: { value: unknown }) {
  return <pre class="json">{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>;
}

const SHORT_MAX = 160;

function isShort(value: unknown): boolean {
  return compact(value).length <= SHORT_MAX;
}

function tableOf(value: unknown) {
  return Array.isArray(value) ? planTable(value) : undefined;
}
