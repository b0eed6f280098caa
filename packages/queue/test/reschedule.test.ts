import { openSandbox, until } from '@spillway/testkit';
import { COMPLETED, consume, gate, openFeed, openQueue } from './fixture.ts';
import { block, standIn } from './lines.ts';

test('a delayed job starts at once when it is promoted, and a second time is none', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, redis, prefix, submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit({}, { delayMs: 60_000 });
  await feed.follow(id);
  expect(await producer.reschedule(id, { delayMs: 0 })).toEqual({ done: true });
  expect(await producer.reschedule(id, { delayMs: 0 })).toEqual({ done: false });
  expect(await standIn(redis, prefix, id)).toEqual(['wait']);
  expect((await reader.job(id)).state).toBe('waiting');
  await until('the event', () => events.length > 0);
  expect(events).toMatchObject([{ kind: 'state', state: 'waiting' }]);
  await consume(sandbox, async () => COMPLETED);
  await until('its end', async () => (await reader.job(id)).state === 'completed');
});

test('an idle worker is woken by a job that is promoted', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  await consume(sandbox, async () => COMPLETED);
  const { id } = await submit({}, { delayMs: 3_600_000 });
  await producer.reschedule(id, { delayMs: 0 });
  await until('its end', async () => (await reader.job(id)).state === 'completed');
});

test('a job that waits can be made to wait for a time, which begins anew each time', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, redis, prefix, submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const before = Date.now();
  for (const delayMs of [3_600_000, 7_200_000]) {
    expect(await producer.reschedule(id, { delayMs })).toEqual({ done: true });
    const { state, runAt } = await reader.job(id);
    expect(state).toBe('delayed');
    expect(Date.parse(runAt ?? '')).toBeGreaterThanOrEqual(before + delayMs);
    expect(await standIn(redis, prefix, id)).toEqual(['delayed']);
  }
  await until('the events', () => events.length === 2);
  expect(events).toMatchObject([{ state: 'delayed' }, { state: 'delayed' }]);
});

test('jobs start by the priorities that they were given while they waited', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis, prefix, reader, submit } = await openQueue(sandbox);
  const [later, first, delayed] = [
    await submit(),
    await submit({}, { priority: 5 }),
    await submit({}, { delayMs: 60_000 }),
  ];
  expect(await producer.reschedule(later.id, { priority: 9 })).toEqual({ done: true });
  expect(await producer.reschedule(later.id, { priority: 9 })).toEqual({ done: false });
  expect(await producer.reschedule(first.id, { priority: 0 })).toEqual({ done: true });
  expect(await producer.reschedule(delayed.id, { priority: 7 })).toEqual({ done: true });
  expect(await reader.job(delayed.id)).toMatchObject({ state: 'delayed', priority: 7 });
  await producer.reschedule(delayed.id, { delayMs: 0 });
  expect(await standIn(redis, prefix, first.id)).toEqual(['wait']);
  const ran: string[] = [];
  const run = async ({ id }: { id: string }) => {
    ran.push(id);
    return COMPLETED;
  };
  await consume(sandbox, run, { concurrency: 1 });
  await until('all ends', () => ran.length === 3);
  expect(ran).toEqual([first.id, delayed.id, later.id]);
});

test('a job that waits for its children keeps what was asked for until they have ended', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis, prefix, reader, submit } = await openQueue(sandbox);
  const { id } = await submit();
  await block(redis, prefix, id);
  expect(await producer.reschedule(id, { priority: 4, delayMs: 60_000 })).toEqual({ done: true });
  expect(await producer.reschedule(id, { priority: 4 })).toEqual({ done: false });
  expect(await reader.job(id)).toMatchObject({ state: 'blocked', priority: 4 });
  expect(await standIn(redis, prefix, id)).toEqual(['blocked']);
});

test('a job that runs, has ended, or is not there is refused, and stays as it is', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader, submit } = await openQueue(sandbox);
  const started = gate();
  const finish = gate();
  await consume(sandbox, async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  const { id } = await submit();
  await started.opened;
  await expect(producer.reschedule(id, { priority: 1 })).rejects.toMatchObject({ code: 'job_active' });
  finish.open();
  await until('its end', async () => (await reader.job(id)).state === 'completed');
  await expect(producer.reschedule(id, { delayMs: 0 })).rejects.toMatchObject({ code: 'job_final' });
  expect(await reader.job(id)).not.toHaveProperty('priority');
  for (const unknown of ['work.nothing', 'nothing'])
    await expect(producer.reschedule(unknown, { delayMs: 0 })).rejects.toMatchObject({ code: 'job_not_found' });
});
