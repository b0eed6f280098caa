import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createMetrics } from '../src/metrics.ts';

test('docs/operations.md explains every figure of status, and no other', async () => {
  const metrics = createMetrics();
  metrics.watch({ connections: () => 0, streams: () => 0, watches: () => 0, bufferedBytes: () => 0 });
  const named = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name).filter(isOurs);
  const docs = readFileSync(resolve(__dirname, '../../../docs/operations.md'), 'utf8');
  const told = [...docs.matchAll(/^\| `(spillway_(?:live_|event_)\w+)/gm)].map(([, name = '']) => name);
  expect(told.sort()).toEqual(named.sort());
});

function isOurs(name: string): boolean {
  return name.startsWith('spillway_');
}
