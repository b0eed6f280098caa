import type { JobEvent } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { parseEvent } from '../src/feed/parse-event.ts';
import { COMPLETED, consume, gate, openFeed, openQueue, TYPE } from './fixture.ts';

const states = (events: JobEvent[]) =>
  events.flatMap((event) => (event.kind === 'state' ? [event.state] : [event.kind]));

test('a followed job is told from its start to its end, in order', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  await consume(sandbox, async ({ reports }) => {
    reports.log('hello');
    return { kind: 'completed', result: 42 };
  });
  await until('the end', () => states(events).includes('completed'));
  expect(states(events)).toEqual(['active', 'report', 'completed']);
  expect(events.at(1)).toMatchObject({ job: id, log: [{ n: 0, line: 'hello' }] });
  expect(events.at(2)).toMatchObject({ result: 42 });
});

test('retries, failures, cancellation and removal are told', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const failing = await submit({ fail: true }, { attempts: 2, backoff: { type: 'fixed', delayMs: 1 } });
  const cancelled = await submit({}, { delayMs: 60_000 });
  await Promise.all([feed.follow(failing.id), feed.follow(cancelled.id)]);
  await producer.cancel(cancelled.id, 'ann');
  await producer.remove(cancelled.id);
  await consume(sandbox, async () => ({
    kind: 'failed',
    error: { code: 'handler_failed', message: 'no' },
    retry: true,
  }));
  await until('the failure', () => states(events).includes('failed'));
  expect(states(events.filter(({ job }) => job === cancelled.id))).toEqual(['cancelled', 'removed']);
  expect(states(events.filter(({ job }) => job === failing.id))).toEqual([
    'active',
    'delayed',
    'waiting',
    'active',
    'failed',
  ]);
});

test('only followed jobs are told, and a released one no more', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const [a, b, c] = [await submit(), await submit(), await submit()];
  await feed.follow(a.id);
  const release = await feed.follow(b.id);
  release();
  release();
  for (const { id } of [b, c, a]) await producer.cancel(id, 'ann');
  await until('the end', () => events.length > 0);
  expect(events.map(({ job }) => job)).toEqual([a.id]);
});

test('queues that are followed later are read at once, also while the reader waits for others', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  for (const queue of ['one', 'two', 'three']) {
    const { id } = await submit({}, {}, { ...TYPE, queue });
    await feed.follow(id);
    await producer.cancel(id, 'ann');
    await until(`the event in ${queue}`, () => events.some((event) => event.job === id), 3000);
  }
});

test('a reader whose connection is killed goes on where it stopped', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis } = await openQueue(sandbox);
  const { feed, events, gaps } = await openFeed(sandbox);
  const jobs = await Promise.all(Array.from({ length: 20 }, () => submit()));
  for (const { id } of jobs) await feed.follow(id);
  const list = String(await redis.client('LIST'));
  const reader = list.split('\n').find((line) => line.includes(`name=spillway:${sandbox.prefix}:feed `));
  for (const [index, { id }] of jobs.entries()) {
    if (index === 10) await redis.client('KILL', 'ID', Number(/^id=(\d+)/.exec(reader!)![1]));
    await producer.cancel(id, 'ann');
  }
  await until('all events', () => events.length >= jobs.length);
  expect(events.map(({ job }) => job)).toEqual(jobs.map(({ id }) => id));
  expect(gaps).toEqual([]);
});

test('history that was trimmed past a reader is declared as a gap', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis, prefix } = await openQueue(sandbox);
  const { feed, gaps } = await openFeed(sandbox);
  const [watched, other] = [await submit(), await submit()];
  await feed.follow(watched.id);
  const stream = queueKeys(prefix, 'work').events;
  const list = String(await redis.client('LIST'));
  const reader = list.split('\n').find((line) => line.includes(`name=spillway:${sandbox.prefix}:feed `));
  // While the reader is cut off, an event happens and is trimmed away by later ones.
  await redis
    .multi()
    .client('KILL', 'ID', Number(/^id=(\d+)/.exec(reader!)![1]))
    .xadd(stream, '*', 'event', 'active', 'jobId', watched.id)
    .xtrim(stream, 'MAXLEN', 0)
    .exec();
  await producer.cancel(other.id, 'ann');
  await until('the gap', () => gaps.length > 0);
  expect(gaps).toEqual([expect.stringMatching(/trimmed|less data/)]);
});

test('a malformed entry is skipped and reported, and the next one arrives', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis, prefix } = await openQueue(sandbox);
  const { feed, events, errors } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const stream = queueKeys(prefix, 'work').events;
  await redis.xadd(stream, '*', 'event', 'progress', 'jobId', id, 'data', '{not json');
  await redis.xadd(stream, '*', 'nonsense', '1');
  await producer.cancel(id, 'ann');
  await until('the event', () => events.length > 0);
  expect(states(events)).toEqual(['cancelled']);
  expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('malformed')]);
});

test('a snapshot and the events around it leave no gap, at whatever moment it is taken', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader } = await openQueue(sandbox);
  const { feed, events } = await openFeed(sandbox);
  const { id } = await submit();
  await feed.follow(id);
  const snapshots: Awaited<ReturnType<typeof reader.snapshot>>[] = [];
  const finish = gate();
  await consume(sandbox, async ({ reports }) => {
    for (let n = 0; n < 60; n += 1) {
      reports.log(`line ${n}`);
      snapshots.push(await reader.snapshot(id));
    }
    await finish.opened;
    return COMPLETED;
  });
  await until('all snapshots', () => snapshots.length === 60);
  finish.open();
  await until('the end', () => states(events).includes('completed'));
  for (const { log, cursor } of snapshots) {
    const later = events.filter((event) => event.kind === 'report' && event.pos > cursor.pos);
    const numbers = [...log, ...later.flatMap((event) => (event.kind === 'report' ? (event.log ?? []) : []))].map(
      ({ n }) => n,
    );
    expect(numbers).toEqual(Array.from({ length: 60 }, (_, n) => n));
  }
});

test.each([
  [['event', 'added', 'jobId', 'work.1', 'name', 'x'], undefined],
  [['event', 'drained'], undefined],
  [['event', 'waiting-children', 'jobId', 'work.1'], { kind: 'state', state: 'blocked' }],
  [['event', 'progress', 'jobId', 'work.1', 'data', '50'], { kind: 'report', progress: { fraction: 0.5 } }],
  [['event', 'progress', 'jobId', 'work.1', 'data', '"text"'], { kind: 'report' }],
  [
    ['event', 'failed', 'jobId', 'work.1', 'failedReason', 'boom'],
    { state: 'failed', error: { code: 'handler_failed', message: 'boom' } },
  ],
  [
    ['event', 'failed', 'jobId', 'work.1', 'failedReason', 'job stalled more than allowable limit'],
    { error: { code: 'lost_worker' } },
  ],
  [['event', 'failed', 'jobId', 'work.1', 'failedReason', 'cancelled: by ann'], { state: 'cancelled' }],
])('the entry %j means %j', (fields, expected) => {
  const event = parseEvent(['5-1', fields as string[]], new Set(['work.1']));
  if (expected === undefined) expect(event).toBeUndefined();
  else expect(event).toMatchObject({ job: 'work.1', pos: '5-1', at: 5, ...expected });
});
