import { openSandbox, until } from '@spillway/testkit';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

test('a submitted job waits with the id, input and options that were given', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const submitted = await submit({ n: 1 }, { attempts: 3, tags: ['red'], timeoutMs: 500 });
  expect(submitted).toMatchObject({
    id: expect.stringMatching(/^work\.[0-9A-Z]{26}$/),
    state: 'waiting',
    attempts: 3,
    attempt: 0,
  });
  const { position, ...job } = await reader.job(submitted.id);
  expect(job).toEqual(submitted);
  expect(position).toMatchObject({ ahead: 0 });
});

test('a delayed job says when it becomes due', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const submitted = await submit({}, { delayMs: 60_000 });
  const job = await reader.job(submitted.id);
  expect(job).toMatchObject({ state: 'delayed', runAt: submitted.runAt });
  expect(Date.parse(job.runAt!) - Date.parse(job.createdAt)).toBe(60_000);
});

test('a type’s defaults hold where the submitter says nothing', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const type = { ...TYPE, defaults: { attempts: 4, priority: 7 } };
  expect(await submit({}, {}, type)).toMatchObject({ attempts: 4, priority: 7 });
  expect(await submit({}, { attempts: 2 }, type)).toMatchObject({ attempts: 2, priority: 7 });
});

test('jobs with a smaller priority number run first, and those without before all', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  for (const priority of [5, 1, 0, 3]) await submit({ priority }, { priority });
  const order: unknown[] = [];
  await consume(
    sandbox,
    async ({ input }) => {
      order.push((input as { priority: number }).priority);
      return COMPLETED;
    },
    {
      concurrency: 1,
    },
  );
  await until('four jobs', () => order.length === 4);
  expect(order).toEqual([0, 1, 3, 5]);
});

test.each([{ delayMs: 0 }, { delayMs: 60_000 }, { priority: 3 }])(
  'a job that waits (%j) is cancelled at once and never runs',
  async (options) => {
    await using sandbox = await openSandbox();
    const { submit, producer, reader } = await openQueue(sandbox);
    const { id } = await submit({}, options);
    expect(await producer.cancel(id, 'ann')).toEqual({ done: true });
    expect(await producer.cancel(id, 'bob')).toEqual({ done: false });
    expect(await reader.job(id)).toMatchObject({
      state: 'cancelled',
      error: { code: 'cancelled', message: 'cancelled by ann' },
    });
    const other = await submit();
    const ran: string[] = [];
    await consume(sandbox, async (lease) => {
      ran.push(lease.id);
      return COMPLETED;
    });
    await until('the other job', () => ran.includes(other.id));
    expect(ran).toEqual([other.id]);
  },
);

test('a running job is not removed', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const started = gate();
  const finish = gate();
  await consume(sandbox, async () => {
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  const { id } = await submit();
  await started.opened;
  await expect(producer.remove(id)).rejects.toMatchObject({ code: 'job_active' });
  finish.open();
});

test('a completed job is final: it is neither cancelled nor retried', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async () => COMPLETED);
  await until('the end', async () => (await reader.job(id)).state === 'completed');
  await expect(producer.cancel(id, 'ann')).rejects.toMatchObject({ code: 'job_final' });
  await expect(producer.retry(id)).rejects.toMatchObject({ code: 'job_final' });
});

test('a cancelled job that is retried runs', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await producer.cancel(id, 'ann');
  expect(await producer.retry(id)).toEqual({ done: true });
  expect(await producer.retry(id)).toEqual({ done: false });
  await consume(sandbox, async () => COMPLETED);
  await until('the end', async () => (await reader.job(id)).state === 'completed');
});

test('a removed job is gone, with its log and output', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    reports.log('line');
    reports.output({ n: 1 });
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).state === 'completed');
  await producer.remove(id);
  await expect(reader.job(id)).rejects.toMatchObject({ code: 'job_not_found' });
  await expect(producer.remove(id)).rejects.toMatchObject({ code: 'job_not_found' });
  expect(await redis.keys(`${prefix}:*${id}*`)).toEqual([]);
});

test.each(['', 'nope', 'work.123', 'meta', 'work:01ARZ3NDEKTSV4RRFFQ69G5FAV'])(
  'the id %j is answered as not found everywhere',
  async (id) => {
    await using sandbox = await openSandbox();
    const { producer, reader } = await openQueue(sandbox);
    for (const call of [
      reader.job(id),
      reader.snapshot(id),
      producer.cancel(id, 'a'),
      producer.retry(id),
      producer.remove(id),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'job_not_found' });
    }
  },
);

test('a paused queue starts nothing until it is resumed', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader } = await openQueue(sandbox);
  expect(await producer.pause('work')).toEqual({ done: true });
  expect(await producer.pause('work')).toEqual({ done: false });
  const { id } = await submit();
  const ran: string[] = [];
  const consumer = await consume(sandbox, async (lease) => {
    ran.push(lease.id);
    return COMPLETED;
  });
  expect(await reader.queue('work')).toMatchObject({ paused: true, counts: { waiting: 1 } });
  expect(consumer.running).toBe(0);
  expect(await producer.resume('work')).toEqual({ done: true });
  await until('the job', () => ran.includes(id));
});

test('while Redis is away every call fails with unavailable instead of hanging', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, redis } = await openQueue(sandbox);
  redis.disconnect();
  await until('the connection to be gone', () => redis.status === 'end');
  for (const call of [submit(), producer.pause('work'), reader.queue('work'), reader.list({ limit: 1 }, ['work'])]) {
    await expect(call).rejects.toMatchObject({ code: 'unavailable' });
  }
});
