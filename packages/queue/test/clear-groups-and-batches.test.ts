import { openSandbox, until } from '@spillway/testkit';
import { COMPLETED, consume, TYPE } from './fixture.ts';
import { openGroups } from './grouped.ts';

const { queue } = TYPE;

test('a drain ends what waits in the lines of groups as well, and leaves no slot behind', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, flood, submit, slots, line } = await openGroups(sandbox);
  const grouped = await flood('whale', 450);
  await flood('shrimp', 3);
  const plain = await submit();
  expect(await producer.drain(queue, 'ann')).toEqual({ cancelled: 454, more: false });
  expect([await slots(), await line('whale'), await line('shrimp')]).toEqual([{}, [], []]);
  for (const { id } of [grouped[0], grouped.at(-1), plain] as { id: string }[])
    expect(await reader.job(id)).toMatchObject({ state: 'cancelled', cancel: { by: 'ann' } });
  expect((await reader.queue(queue)).counts).toMatchObject({ waiting: 0, failed: 454 });
});

test('a drain that may end no more leaves the rest in turns', async () => {
  await using sandbox = await openSandbox();
  const { producer, flood, run, ran, emptied } = await openGroups(sandbox);
  await flood('a', 20);
  await flood('b', 20);
  expect(await producer.drain(queue, 'ann', { limit: 30 })).toEqual({ cancelled: 30, more: true });
  await consume(sandbox, run, { concurrency: 1 });
  await until('the rest to run', () => ran.length === 10);
  await emptied();
});

test('a batch counts its members that are drained, and those that are cleaned away stay counted', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader } = await openGroups(sandbox);
  const writer = producer.batches.open(producer.newBatch(), { tenant: undefined, onComplete: undefined });
  await writer.reach([queue]);
  const put = (options = {}) => producer.submit({ type: TYPE, input: {}, options, batch: writer.id });
  await Promise.all([put(), put(), put({ group: 'g' }), put({ priority: 3 })]);
  await writer.seal();
  expect(await producer.drain(queue, 'ann', { limit: 3 })).toEqual({ cancelled: 3, more: true });
  expect(await producer.batches.get(writer.id)).toMatchObject({ total: 4, open: 1, cancelled: 3 });
  await consume(sandbox, async () => COMPLETED);
  await until('the last one', async () => (await reader.queue(queue)).counts.completed === 1);
  for (const state of ['cancelled', 'completed'] as const) await producer.clean(queue, { state });
  expect((await reader.queue(queue)).counts).toMatchObject({ completed: 0, failed: 0 });
  expect(await producer.batches.get(writer.id)).toMatchObject({ total: 4, open: 0, cancelled: 3, completed: 1 });
});

test('a job in the line of its group keeps its place there: its priority and time cannot be changed', async () => {
  await using sandbox = await openSandbox();
  const { producer, put, line, run, ran, flood } = await openGroups(sandbox);
  await flood('a', 10);
  const { id } = await put('a');
  for (const patch of [{ priority: 1 }, { delayMs: 1000 }])
    await expect(producer.reschedule(id, patch)).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await line('a')).toContain(id);
  const later = await put('b', { delayMs: 3_600_000 });
  expect(await producer.reschedule(later.id, { delayMs: 0 })).toEqual({ done: true });
  await consume(sandbox, run);
  await until('the promoted one', () => ran.includes('b'));
});
