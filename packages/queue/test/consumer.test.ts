import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, consume, gate, openFeed, openQueue } from './fixture.ts';

test('a job runs with what was submitted and keeps what its handler returned', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({ n: 2 }, { timeoutMs: 700 });
  await consume(sandbox, async ({ type, attempt, input, timeoutMs }) => ({
    kind: 'completed',
    result: { type, attempt, input, timeoutMs },
  }));
  const job = await until('the end', async () =>
    (await reader.job(id)).state === 'completed' ? reader.job(id) : undefined,
  );
  expect(job.result).toEqual({ type: 'test.work', attempt: 1, input: { n: 2 }, timeoutMs: 700 });
  expect(job).toMatchObject({ worker: 'w1', attempt: 1 });
});

test('a failed attempt is repeated until one succeeds, and the last error is kept when none does', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const options = { attempts: 3, backoff: { type: 'fixed', delayMs: 1 } };
  const good = await submit({ failures: 2 }, options);
  const bad = await submit({ failures: 9 }, options);
  await consume(sandbox, async ({ attempt, input }) =>
    attempt <= (input as { failures: number }).failures
      ? { kind: 'failed', error: { code: 'handler_failed', message: `no ${attempt}` }, retry: true }
      : COMPLETED,
  );
  await until('both ends', async () => (await reader.job(good.id)).finishedAt && (await reader.job(bad.id)).finishedAt);
  expect(await reader.job(good.id)).toMatchObject({ state: 'completed', attempt: 3 });
  expect(await reader.job(bad.id)).toMatchObject({
    state: 'failed',
    attempt: 3,
    error: { code: 'handler_failed', message: 'no 3' },
  });
});

test('an outcome that forbids a retry ends the job whatever attempts are left', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 5 });
  await consume(sandbox, async () => ({
    kind: 'failed',
    error: { code: 'invalid_input', message: 'bad: very\nbad' },
    retry: false,
  }));
  await until('the end', async () => (await reader.job(id)).finishedAt);
  expect(await reader.job(id)).toMatchObject({
    state: 'failed',
    attempt: 1,
    error: { code: 'invalid_input', message: 'bad: very\nbad' },
  });
});

test('log lines and output chunks are numbered in order, and the last progress before the end is kept', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    for (let n = 0; n < 700; n += 1) {
      reports.log(`line ${n}`);
      reports.output({ n });
      reports.progress({ fraction: n / 700 });
    }
    reports.progress({ fraction: 1, message: 'done' });
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { job, log, output, cursor } = await reader.snapshot(id);
  expect(job.progress).toEqual({ fraction: 1, message: 'done' });
  expect(log).toEqual(Array.from({ length: 700 }, (_, n) => ({ n, line: `line ${n}` })));
  expect(output).toEqual(Array.from({ length: 700 }, (_, n) => ({ n, chunk: { n } })));
  expect(cursor).toMatchObject({ log: 700, output: 700 });
});

test('only the newest thousand lines are kept, and their numbers tell that older ones are gone', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    for (let n = 0; n < 1500; n += 1) reports.log(`line ${n}`);
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  expect(await reader.log(id, 0, 2)).toEqual({
    lines: [
      { n: 500, line: 'line 500' },
      { n: 501, line: 'line 501' },
    ],
    first: 500,
    next: 502,
  });
  expect(await reader.log(id, 1499, 10)).toEqual({ lines: [{ n: 1499, line: 'line 1499' }], first: 1499, next: 1500 });
  expect(await reader.log(id, 9999, 10)).toMatchObject({ lines: [], next: 1500 });
});

test('output that JSON cannot hold, or that is too large, is refused to the handler', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const thrown = gate<string[]>();
  await consume(sandbox, async ({ reports }) => {
    const errors = [undefined, () => 1, 'x'.repeat(20_000)].map((chunk) => {
      try {
        reports.output(chunk);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    });
    thrown.open(errors);
    return COMPLETED;
  });
  await submit();
  expect(await thrown.opened).toEqual([
    expect.stringContaining('got undefined'),
    expect.stringContaining('got function'),
    expect.stringContaining('at most 16384 characters'),
  ]);
});

test('a worker that lost its lease can write nothing and is told', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  const lost = gate<unknown>();
  await consume(sandbox, async ({ reports, signal }) => {
    // Another worker holds the lease now, as after a stall.
    await redis.set(`${queueKeys(prefix, 'work').job(id)}:lock`, 'somebody else');
    signal.addEventListener('abort', () => lost.open(signal.reason));
    reports.log('from the grave');
    reports.output('from the grave');
    reports.progress({ fraction: 0.9 });
    await lost.opened;
    return COMPLETED;
  });
  expect(String(await lost.opened)).toContain('lease lost');
  const { job, log, output } = await reader.snapshot(id);
  expect({ progress: job.progress, log, output }).toEqual({ progress: undefined, log: [], output: [] });
});

test('a worker whose job was taken by another goes on reporting and completes, and nobody sees anything of it', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const [started, taken, written] = [gate(), gate(), gate()];
  const zombieEnd = gate<Error>();
  await consume(
    sandbox,
    async ({ reports }) => {
      started.open();
      await taken.opened;
      reports.log('from the grave');
      reports.output('from the grave');
      reports.progress({ fraction: 0.9 });
      await reports.flush();
      written.open();
      return { kind: 'completed', result: 'from the grave' };
    },
    { onError: zombieEnd.open, concurrency: 1 },
  );
  await started.opened;
  // As the engine does once a lease has run out.
  const keys = queueKeys(prefix, 'work');
  await redis
    .multi()
    .del(`${keys.job(id)}:lock`)
    .lrem(keys.active, 0, id)
    .rpush(keys.wait, id)
    .exec();
  await redis.zadd(keys.marker, 0, '0');
  await consume(
    sandbox,
    async ({ reports }) => {
      reports.log('alive');
      taken.open();
      await written.opened;
      expect(String(await zombieEnd.opened)).toContain(id);
      return { kind: 'completed', result: 'alive' };
    },
    { workerId: 'w2' },
  );
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { job, log, output } = await reader.snapshot(id);
  expect({ job, log, output }).toMatchObject({
    job: { state: 'completed', result: 'alive', worker: 'w2', attempt: 2 },
    log: [{ n: 0, line: 'alive' }],
    output: [],
  });
  expect(job.progress).toBeUndefined();
  await until('the event of the end', () => events.some((event) => event.kind === 'state' && event.result === 'alive'));
  expect(JSON.stringify(events)).not.toContain('grave');
});

test('a stopping consumer takes nothing more and lets its jobs finish', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const first = await submit();
  const started = gate();
  const finish = gate();
  const consumer = await consume(
    sandbox,
    async () => {
      started.open();
      await finish.opened;
      return COMPLETED;
    },
    {
      concurrency: 1,
    },
  );
  await started.opened;
  const second = await submit();
  const stopped = consumer.stop(10_000);
  finish.open();
  await stopped;
  expect((await reader.job(first.id)).state).toBe('completed');
  expect((await reader.job(second.id)).state).toBe('waiting');
});

test('what still runs at the deadline is aborted and handed back, its attempt unspent', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 1 });
  const started = gate();
  const aborted = gate<unknown>();
  const consumer = await consume(sandbox, async ({ signal }) => {
    signal.addEventListener('abort', () => aborted.open(signal.reason));
    started.open();
    return new Promise(() => undefined);
  });
  await started.opened;
  await Promise.all([consumer.stop(0), consumer.stop(0)]);
  expect(String(await aborted.opened)).toContain('the worker stops');
  expect((await reader.job(id)).state).toBe('waiting');
  await consume(sandbox, async () => COMPLETED, { workerId: 'w2' });
  await until('the other worker', async () => (await reader.job(id)).state === 'completed');
  expect((await reader.job(id)).worker).toBe('w2');
});
