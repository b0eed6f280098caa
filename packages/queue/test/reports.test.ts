import { Queue } from '@spillway/bullmq';
import type { JobEvent } from '@spillway/contracts';
import { openSandbox, redisUrl, type Sandbox, until } from '@spillway/testkit';
import { Backlog } from '../src/consumer/backlog.ts';
import type { Lease } from '../src/consumer/index.ts';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import { COMPLETED, connectOver, consume, gate, openFeed, openQueue } from './fixture.ts';
import { openRedisProxy } from './redis-proxy.ts';

const numbersTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Writes three lines and chunks that name the attempt, right before the end. */
async function reportAndEnd({ reports, attempt }: Lease) {
  for (const n of numbersTo(3)) {
    reports.log(`${attempt}/${n}`);
    reports.output({ attempt, n });
  }
  reports.progress({ fraction: 1 });
  return { kind: 'completed', result: attempt } as const;
}

/** What was told of a job before its end, and the attempt that ended it; undefined while it goes on. */
function toldUntilTheEnd(events: JobEvent[]) {
  const end = events.findIndex((event) => event.kind === 'state' && event.state === 'completed');
  const completed = events[end];
  if (completed?.kind !== 'state') return undefined;
  const reports = events.slice(0, end).flatMap((event) => (event.kind === 'report' ? [event] : []));
  return {
    attempt: completed.result,
    lines: reports.flatMap(({ log = [] }) => log),
    chunks: reports.flatMap(({ output = [] }) => output),
  };
}

function byJob(events: readonly JobEvent[]): Map<string, JobEvent[]> {
  const jobs = new Map<string, JobEvent[]>();
  for (const event of events) jobs.set(event.job, [...(jobs.get(event.job) ?? []), event]);
  return jobs;
}

async function followMany(sandbox: Sandbox, count: number) {
  const { submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const jobs = await Promise.all(numbersTo(count).map(() => submit()));
  await Promise.all(jobs.map(({ id }) => feed.follow(id)));
  return { jobs, events };
}

async function untilEveryEnd(count: number, events: readonly JobEvent[]): Promise<void> {
  const ended = () => events.filter((event) => event.kind === 'state' && event.state === 'completed').length;
  await until('every end', () => ended() === count, 60_000);
}

function expectWholeEnd(events: JobEvent[]): void {
  const told = toldUntilTheEnd(events);
  expect(told?.lines.map(({ n }) => n)).toEqual(numbersTo(told?.lines.length ?? 0));
  expect(told?.lines.slice(-3).map(({ line }) => line)).toEqual(numbersTo(3).map((n) => `${told?.attempt}/${n}`));
  expect(told?.chunks.slice(-3).map(({ chunk }) => chunk)).toEqual(
    numbersTo(3).map((n) => ({ attempt: told?.attempt, n })),
  );
}

test('what is written right before the end is told before the end, for a thousand jobs at once', async () => {
  await using sandbox = await openSandbox();
  const { jobs, events } = await followMany(sandbox, 1000);
  await consume(sandbox, reportAndEnd, { concurrency: 100 });
  await untilEveryEnd(jobs.length, events);
  for (const told of byJob(events).values()) expectWholeEnd(told);
});

test('what is written right before the end is told before the end, also while connections break', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { jobs, events } = await followMany(sandbox, 300);
  const redis = await connectOver(proxy.url, sandbox, 'worker');
  let ended = 0;
  await consume(
    sandbox,
    async (lease) => {
      ended += 1;
      // A reply that is lost, and a connection that breaks between two jobs.
      if (ended % 50 === 0) proxy.loseNextReply();
      if (ended % 70 === 0) proxy.cut();
      return reportAndEnd(lease);
    },
    { redis, concurrency: 20 },
  );
  await untilEveryEnd(jobs.length, events);
  for (const told of byJob(events).values()) expectWholeEnd(told);
});

test('what is written right before an attempt fails is told before the job waits for the next one', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit({}, { attempts: 3, backoff: { type: 'fixed', delayMs: 1 } });
  await feed.follow(id);
  await consume(sandbox, async (lease) => {
    if (lease.attempt === 3) return reportAndEnd(lease);
    await reportAndEnd(lease);
    return { kind: 'failed', error: { code: 'handler_failed', message: 'not yet' }, retry: true };
  });
  await untilEveryEnd(1, events);
  const told = events.flatMap((event) => {
    if (event.kind === 'report') return (event.log ?? []).map(({ line }) => line);
    return event.kind === 'state' && ['delayed', 'completed'].includes(event.state) ? [event.state] : [];
  });
  const lines = (attempt: number) => numbersTo(3).map((n) => `${attempt}/${n}`);
  expect(told).toEqual([...lines(1), 'delayed', ...lines(2), 'delayed', ...lines(3), 'completed']);
});

test('a report whose reply was lost with the connection is written once', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const redis = await connectOver(proxy.url, sandbox, 'worker');
  const { id } = await submit();
  const finish = gate();
  await consume(
    sandbox,
    async ({ reports }) => {
      for (const n of numbersTo(5)) {
        const back = new Promise((resolve) => redis.once('ready', resolve));
        proxy.loseNextReply();
        reports.log(`line ${n}`);
        reports.output(n);
        await back;
        await until('the report', async () => (await reader.snapshot(id)).log.length > n);
      }
      await finish.opened;
      return COMPLETED;
    },
    { redis, concurrency: 1 },
  );
  await until('all reports', async () => (await reader.snapshot(id)).log.length >= 5);
  finish.open();
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { log, output } = await reader.snapshot(id);
  expect(log.map(({ line }) => line)).toEqual(numbersTo(5).map((n) => `line ${n}`));
  expect(output.map(({ chunk }) => chunk)).toEqual(numbersTo(5));
});

test('a last report that Redis refuses is reported as an error', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  const errors: Error[] = [];
  await consume(
    sandbox,
    async ({ reports }) => {
      await redis.set(queueKeys(prefix, 'work').log(id), 'no list');
      reports.log('lost');
      return COMPLETED;
    },
    { onError: (error) => errors.push(error) },
  );
  await until('the end', async () => (await reader.job(id).catch(() => undefined)) ?? errors.length > 0);
  await until('the report', () => errors.some(({ message }) => message.includes('WRONGTYPE')));
});

test('a report that Redis cannot take for now is sent again, and nothing overtakes it', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const redis = await sandbox.connect('worker');
  const { id } = await submit();
  const evalsha = redis.evalsha.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  let refused = 0;
  const refuse = jest.spyOn(redis, 'evalsha').mockImplementation((...args: unknown[]) => {
    if (!String(args.at(-1)).includes('line ') || refused === 2) return evalsha(...args);
    refused += 1;
    return Promise.reject(new Error("OOM command not allowed when used memory > 'maxmemory'."));
  });
  await consume(
    sandbox,
    async ({ reports }) => {
      reports.log('line 0');
      await until('the refusal', () => refused > 0);
      reports.log('line 1');
      return COMPLETED;
    },
    { redis },
  );
  await until('the end', async () => (await reader.job(id)).finishedAt);
  refuse.mockRestore();
  expect((await reader.snapshot(id)).log.map(({ line }) => line)).toEqual(['line 0', 'line 1']);
});

test('a handler that was given up cannot write into a later attempt, though its worker has the same token again', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, producer } = await openQueue(sandbox);
  const [retried, given, over] = [gate(), gate(), gate()];
  const aborted: number[] = [];
  let givenUp: Lease | undefined;
  const { id } = await submit();
  const between = await submit();
  await consume(
    sandbox,
    async (lease) => {
      lease.signal.addEventListener('abort', () => aborted.push(lease.attempt));
      if (lease.id === between.id) {
        await retried.opened;
        return COMPLETED;
      }
      if (!givenUp) {
        givenUp = lease;
        return { kind: 'failed', error: { code: 'timeout', message: 'too slow' }, retry: false };
      }
      lease.reports.log('second');
      await given.opened;
      // Once this is stored, what was sent before it over the same connection has been answered.
      lease.reports.log('last');
      await over.opened;
      return COMPLETED;
    },
    { concurrency: 1 },
  );
  // The engine hands a worker its next job together with the end of the one before, under the same token.
  await until('the failure', async () => (await reader.job(id)).finishedAt);
  await producer.retry(id);
  retried.open();
  await until('the second attempt', async () => (await reader.snapshot(id)).log.length > 0);
  givenUp?.reports.log('from the grave');
  givenUp?.reports.output('from the grave');
  givenUp?.reports.progress({ fraction: 0.9 });
  await givenUp?.reports.flush();
  given.open();
  await until('the last line', async () => (await reader.snapshot(id)).log.length > 1);
  over.open();
  await until('the end', async () => (await reader.job(id)).state === 'completed');
  const { job, log, output } = await reader.snapshot(id);
  expect(log.map(({ line }) => line)).toEqual(['second', 'last']);
  expect({ output, progress: job.progress }).toEqual({ output: [], progress: undefined });
  expect(aborted).toEqual([]);
});

test('a job that writes faster than can be stored loses its oldest lines and chunks, and that is declared', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    for (const n of numbersTo(100_000)) {
      reports.log(`line ${n}`);
      reports.output(n);
    }
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { lines, first } = await reader.log(id, 0, 1000);
  expect(lines.at(-1)?.line).toBe('line 99999');
  expect(lines.map(({ n }) => n)).toEqual(numbersTo(1000).map((n) => first + n));
  // Of a hundred thousand chunks every one has its number, whether it was sent or not.
  const { output, cursor } = await reader.snapshot(id);
  expect(cursor.output).toBe(100_000);
  expect(output.every(({ n, chunk }) => n === chunk)).toBe(true);
  expect(output).toHaveLength(1000);
});

test('a backlog is bounded, counts what it drops, and hands out what remains in order', () => {
  const backlog = new Backlog();
  for (const n of numbersTo(100_000)) backlog.push(`${n}`);
  const taken: string[] = [];
  let dropped = 0;
  while (!backlog.isEmpty) {
    const share = backlog.take();
    expect(share.texts.length).toBeLessThanOrEqual(500);
    taken.push(...share.texts);
    dropped += share.dropped;
  }
  expect(taken.length).toBeLessThanOrEqual(10_000);
  expect(taken).toEqual(numbersTo(taken.length).map((n) => `${dropped + n}`));
  expect(dropped + taken.length).toBe(100_000);
});

test('a backlog of large texts is bounded by their size, and a report takes few of them', () => {
  const backlog = new Backlog();
  for (const _ of numbersTo(1000)) backlog.push('x'.repeat(16_384));
  const { texts, dropped } = backlog.take();
  expect(texts).toHaveLength(4);
  expect(dropped).toBeGreaterThan(700);
});

test('half a character in a line harms no report', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    reports.log('\ud83d');
    reports.log(`x${'\ud83d\ude00'.repeat(3000)}`);
    reports.progress({ fraction: 1, message: '\ude00' });
    reports.output('\ud83d');
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const { job, log, output } = await reader.snapshot(id);
  expect(log[0]?.line).toBe('\ufffd');
  expect(log[1]?.line.length).toBeLessThanOrEqual(4096);
  expect(log[1]?.line).toContain('[cut, 6001 characters in all]');
  expect(job.progress?.message).toBe('\ufffd');
  expect(output).toEqual([{ n: 0, chunk: '\ud83d' }]);
});

test('the engine and its tools find the log lines', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix } = await openQueue(sandbox);
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    for (const n of numbersTo(3)) reports.log(`line ${n}`);
    return COMPLETED;
  });
  await until('the end', async () => (await reader.job(id)).finishedAt);
  const queue = new Queue(engineName('work'), { connection: redis, prefix, skipMetasUpdate: true });
  sandbox.defer(() => queue.close());
  expect(await queue.getJobLogs(id)).toEqual({ logs: ['line 0', 'line 1', 'line 2'], count: 3 });
});
