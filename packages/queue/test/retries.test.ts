import { openSandbox, until } from '@spillway/testkit';
import { retryDelay } from '../src/consumer/retry-delay.ts';
import { COMPLETED, consume, gate, openFeed, openQueue, TYPE } from './fixture.ts';

const NO = { code: 'handler_failed', message: 'no' };

describe('the pause before the next attempt', () => {
  const fixed = { type: 'fixed', delay: 300 } as const;
  const doubling = { type: 'exponential', delay: 100 } as const;
  test.each([
    ['is the same each time', { failures: 5, backoff: fixed }, 300],
    ['begins with the delay where it grows', { failures: 1, backoff: doubling }, 100],
    ['doubles', { failures: 4, backoff: doubling }, 800],
    ['is never longer than the submitter said', { failures: 4, backoff: { ...doubling, maxDelay: 500 } }, 500],
    ['is a day at most', { failures: 99, backoff: doubling }, 86_400_000],
    [
      'is shortened at random, after the longest one is known',
      { failures: 9, backoff: { ...doubling, maxDelay: 1000, jitter: 0.5 } },
      750,
    ],
    ['is what the handler asks for', { failures: 1, backoff: fixed, afterMs: 7 }, 7],
    [
      'is a day at most, whatever the handler asks for',
      { failures: 1, backoff: fixed, afterMs: Number.POSITIVE_INFINITY },
      86_400_000,
    ],
    [
      'is not what the handler asks for where that is no number',
      { failures: 1, backoff: fixed, afterMs: Number.NaN },
      300,
    ],
    ['grows from a second on where nobody says', { failures: 3 }, 3000],
  ])('%s', (_name, asked, expected) => {
    expect(retryDelay(asked, () => 0.5)).toBe(expected);
  });
});

test('while a job waits for its next attempt, it says why the last one failed and when the next one comes', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit({}, { attempts: 2, backoff: { type: 'fixed', delayMs: 60_000 } });
  await feed.follow(id);
  await consume(sandbox, async () => ({ kind: 'failed', error: NO, retry: true }));
  const job = await until('the pause', async () => {
    const read = await reader.job(id);
    return read.state === 'delayed' ? read : undefined;
  });
  expect(job).toMatchObject({ error: NO, attempt: 1, attempts: 2, history: [{ attempt: 1, worker: 'w1', error: NO }] });
  const [{ startedAt = '', endedAt } = { endedAt: '' }] = job.history ?? [];
  expect(Date.parse(job.runAt ?? '') - Date.parse(endedAt)).toBe(60_000);
  expect(Date.parse(endedAt)).toBeGreaterThanOrEqual(Date.parse(startedAt));
  const told = await until('the event', () =>
    events.find((event) => event.kind === 'state' && event.state === 'delayed'),
  );
  expect(told).toMatchObject({ error: NO, runAt: job.runAt, ended: job.history?.[0] });
  const [listed] = (await reader.list({ limit: 1, state: 'delayed' }, [TYPE.queue])).jobs;
  expect(listed).toMatchObject({ error: NO, attempt: 1, attempts: 2 });
  await producer.cancel(id, 'ann');
  expect((await reader.job(id)).history).toHaveLength(1);
});

test('a handler says when to try again, and the attempt counts', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 2, backoff: { type: 'fixed', delayMs: 60_000 } });
  await consume(sandbox, async () => ({ kind: 'failed', error: NO, retry: true, retryAfterMs: 1 }));
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const job = await reader.job(id);
  expect(job).toMatchObject({ state: 'failed', attempt: 2, attempts: 2, error: NO });
  expect(job.history).toMatchObject([{ attempt: 1 }, { attempt: 2, worker: 'w1', error: NO }]);
});

test('the last ten attempts are kept, with all that they said', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 13, backoff: { type: 'fixed', delayMs: 0 } });
  const message = (attempt: number) => `${attempt}: half a character \ud83d, "quotes"\nand a line`;
  await consume(sandbox, async ({ attempt }) => ({
    kind: 'failed',
    error: { code: 'handler_failed', message: message(attempt) },
    retry: true,
  }));
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { history = [] } = await reader.job(id);
  expect(history.map(({ attempt }) => attempt)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  expect(history.map(({ error }) => error.message)).toEqual(
    history.map(({ attempt }) => message(attempt).replace('\ud83d', '\ufffd')),
  );
});

test('a job that completes at once has no history and keeps nothing more in Redis', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 3 });
  await consume(sandbox, async () => COMPLETED);
  await until('the end', async () => (await reader.job(id)).finishedAt);
  expect(await reader.job(id)).not.toHaveProperty('history');
  expect(await redis.keys(`${prefix}:*${id}*`)).toHaveLength(1);
  expect(await redis.hkeys(`${prefix}:{work}:${id}`)).not.toContain('hist');
});

test('a retry of a running job is refused, and one of a job that failed earlier and then completed too', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const { id } = await submit({}, { attempts: 2, backoff: { type: 'fixed', delayMs: 0 } });
  const [started, finish] = [gate(), gate()];
  await consume(sandbox, async ({ attempt }) => {
    if (attempt === 1) return { kind: 'failed', error: NO, retry: true };
    started.open();
    await finish.opened;
    return COMPLETED;
  });
  await started.opened;
  await expect(producer.retry(id)).rejects.toMatchObject({ code: 'job_active' });
  finish.open();
  await until('the end', async () => (await reader.job(id)).finishedAt);
  await expect(producer.retry(id)).rejects.toMatchObject({ code: 'job_final' });
});

test('a retry by hand gives all attempts again and keeps what happened before; priorities count', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const options = { attempts: 2, priority: 5, backoff: { type: 'fixed', delayMs: 0 } };
  const { id } = await submit({}, options);
  await feed.follow(id);
  const failing = await consume(sandbox, async () => ({ kind: 'failed', error: NO, retry: true }));
  await until('the end', async () => (await reader.job(id)).finishedAt);
  await failing.stop(0);
  expect(await producer.retry(id)).toEqual({ done: true });
  const job = await reader.job(id);
  expect(job).toMatchObject({ state: 'waiting', attempt: 2, attempts: 4 });
  expect(job).not.toHaveProperty('error');
  expect(job.history).toMatchObject([{ attempt: 1 }, { attempt: 2, error: NO }]);
  await until('the event', () => events.some((event) => event.kind === 'state' && event.attempts === 4));
  const first = await submit({}, { priority: 1 });
  const ran: string[] = [];
  await consume(
    sandbox,
    async (lease) => {
      ran.push(lease.id);
      return COMPLETED;
    },
    { concurrency: 1 },
  );
  await until('both', () => ran.length === 2);
  expect(ran).toEqual([first.id, id]);
});

test('failed jobs are retried by what is said of them, in parts, and none twice', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const jobs = await Promise.all(
    Array.from({ length: 25 }, (_, n) => submit({}, { tags: [n % 5 === 0 ? 'red' : 'blue'] })),
  );
  const cancelled = await submit();
  await producer.cancel(cancelled.id, 'ann');
  await consume(sandbox, async () => ({ kind: 'failed', error: NO, retry: true }));
  const failures = async () => (await Promise.all(jobs.map(({ id }) => reader.job(id)))).map((job) => job.attempt);
  await until('all to fail', async () => (await reader.queue('work')).counts.failed === 26);

  expect(await producer.retryFailed('work', { tag: 'red', limit: 1000 })).toEqual({ retried: 5, more: false });
  await until('them to fail again', async () => (await reader.queue('work')).counts.failed === 26);
  expect(await failures()).toEqual(jobs.map((_, n) => (n % 5 === 0 ? 2 : 1)));

  const parts: number[] = [];
  let cursor: string | undefined;
  do {
    const part = await producer.retryFailed('work', { limit: 10, ...(cursor && { cursor }) });
    parts.push(part.retried);
    cursor = part.cursor;
    // They fail again at once, and must not be met again in the parts that follow.
    await until('them to fail again', async () => (await reader.queue('work')).counts.failed === 26);
  } while (cursor);
  expect(parts.reduce((sum, part) => sum + part, 0)).toBe(25);
  expect(await failures()).toEqual(jobs.map((_, n) => (n % 5 === 0 ? 3 : 2)));
  expect((await reader.job(cancelled.id)).state).toBe('cancelled');

  const none = { retried: 0, more: false };
  expect(await producer.retryFailed('work', { type: 'test.other' })).toEqual(none);
  expect(await producer.retryFailed('work', { code: 'timeout' })).toEqual(none);
  expect(await producer.retryFailed('work', { endedBefore: '2020-01-01T00:00:00Z' })).toEqual(none);
  expect(await producer.retryFailed('work', { endedAfter: '2120-01-01T00:00:00Z' })).toEqual(none);
  expect(await producer.retryFailed('work', { code: 'cancelled' })).toEqual({ retried: 1, more: false });
  await expect(producer.retryFailed('work', { cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
});
