/** A flat object is a list of names and values; anything else is JSON. */
export function ValueView({ value }: { value: unknown }) {
  const facts = factsOf(value);
  if (!facts) return <pre class="json">{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>;
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

/** A value on one line: text as it is, everything else as JSON. */
export function compact(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const FACT_MAX = 240;

function factsOf(value: unknown): [string, unknown][] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const facts = Object.entries(value);
  return facts.length > 0 && facts.every(([, fact]) => compact(fact).length <= FACT_MAX) ? facts : undefined;
}
