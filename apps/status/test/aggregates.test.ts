import type { Batch, BatchReply } from '@spillway/contracts';
import { call, startSpillway, until } from '@spillway/testkit';
import { Aggregates } from '../src/aggregates.ts';
import { connectToSets } from './set-watcher.ts';

test('who watches a batch is told how it stands as a whole, and the last figures whatever was heard', async () => {
  await using spillway = await startSpillway();
  const path = '/v1/queues/demo';
  await call(spillway.url, 'POST', `${path}/pause`);
  const jobs = Array(300).fill({ type: 'demo.noop', input: {} });
  const { body } = await call<BatchReply>(spillway.url, 'POST', '/v1/batches', jobs);
  await using watcher = await connectToSets(spillway.status.url);
  const told: Batch[] = [];
  watcher.socket.on('aggregate', (batch) => told.push(batch));
  expect(await watcher.watch({ batch: body.id })).toMatchObject({ aggregate: { total: 300, open: 300, sealed: true } });
  await call(spillway.url, 'POST', `${path}/resume`);
  await until('the last figures', () => told.at(-1)?.finishedAt !== undefined);
  expect(told.at(-1)).toMatchObject({ id: body.id, total: 300, open: 0, completed: 300 });
  for (const { total, open, completed } of told) expect(open + completed).toBe(total);
});

test('whatever happens between two looks is told once', async () => {
  let reads = 0;
  const told: Batch[] = [];
  const aggregates = new Aggregates({
    read: async () => {
      reads += 1;
      return { id: 'b', completed: reads } as Batch;
    },
    tell: (batch) => told.push(batch),
    onError: () => undefined,
  });
  aggregates.add('b');
  for (let touch = 0; touch < 1000; touch += 1) aggregates.touch('b');
  await until('the figures', () => told.length > 0);
  expect([reads, told.length]).toEqual([1, 1]);
  aggregates.drop('b');
});

test('figures that could not be read are read again', async () => {
  const errors: unknown[] = [];
  const told: Batch[] = [];
  const aggregates = new Aggregates({
    read: async () => {
      if (errors.length === 0) throw new Error('away');
      return { id: 'b' } as Batch;
    },
    tell: (batch) => told.push(batch),
    onError: (error) => errors.push(error),
  });
  aggregates.add('b');
  await until('the figures', () => told.length > 0);
  expect(errors).toHaveLength(1);
  aggregates.drop('b');
});
