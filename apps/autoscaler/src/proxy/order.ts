/** What the proxy lets through. */
export type Order =
  | { kind: 'ready' }
  | { kind: 'list' }
  | { kind: 'inspect' | 'start' | 'stop' | 'remove'; id: string }
  | { kind: 'create'; name: string };

const ID = '([0-9a-f]{12,64})';

/** Addresses with the whole of their query. A stop names no time and a removal no force: the container's own grace holds. */
const ORDERS: readonly [pattern: RegExp, order: (part: string) => Order][] = [
  [/^GET \/readyz$/, () => ({ kind: 'ready' })],
  // Whatever is asked, the proxy asks for the workers only.
  [/^GET \/containers\/json(?:\?.*)?$/, () => ({ kind: 'list' })],
  [new RegExp(`^GET /containers/${ID}/json$`), (id) => ({ kind: 'inspect', id })],
  [/^POST \/containers\/create\?name=([a-z0-9][a-z0-9_.-]{0,127})$/, (name) => ({ kind: 'create', name })],
  [new RegExp(`^POST /containers/${ID}/start$`), (id) => ({ kind: 'start', id })],
  [new RegExp(`^POST /containers/${ID}/stop$`), (id) => ({ kind: 'stop', id })],
  [new RegExp(`^DELETE /containers/${ID}$`), (id) => ({ kind: 'remove', id })],
];

/** What a request asks for; undefined where it is nothing that is let through. Pure. */
export function orderOf(method: string, url: string): Order | undefined {
  for (const [pattern, order] of ORDERS) {
    const match = pattern.exec(`${method} ${url}`);
    if (match) return order(match[1] ?? '');
  }
  return undefined;
}
