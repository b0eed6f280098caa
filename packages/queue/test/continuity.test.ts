import { openSandbox, redisUrl, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { findGap } from '../src/feed/continuity.ts';
import { connectOver, openFeed, openQueue, TYPE } from './fixture.ts';
import { openRedisProxy } from './redis-proxy.ts';

/** Short enough for a test to wait for, and three checks long. */
const SILENCE_MS = 600;

const MARK = { pos: '50-0', added: 50, epoch: 'a' };

test.each([
  ['nothing new', { first: '1-0', last: '50-0', length: 50, added: 50 }, 'a', undefined],
  ['news', { first: '1-0', last: '60-0', length: 60, added: 60 }, 'a', undefined],
  ['trimmed up to what was read', { first: '51-0', last: '60-0', length: 10, added: 60 }, 'a', undefined],
  ['all that was read is trimmed', { first: '0-0', last: '50-0', length: 0, added: 50 }, 'a', undefined],
  ['trimmed past it', { first: '52-0', last: '60-0', length: 9, added: 60 }, 'a', 'history was trimmed'],
  ['deleted', { first: '0-0', last: '0-0', length: 0, added: 0 }, 'a', 'Redis has less data than before'],
  ['rolled back', { first: '1-0', last: '49-0', length: 49, added: 49 }, 'a', 'Redis has less data than before'],
  ['written anew', { first: '60-0', last: '70-0', length: 9, added: 9 }, 'a', 'Redis has less data than before'],
  ['restarted as it was', { first: '1-0', last: '50-0', length: 50, added: 50 }, 'b', 'Redis was restarted'],
  ['an epoch that cannot be had', { first: '1-0', last: '50-0', length: 50, added: 50 }, undefined, undefined],
])('a stream with %s is judged rightly', (_case, ends, epoch, expected) => {
  expect(findGap(MARK, ends, epoch)).toBe(expected);
});

test.each([
  ['50-0', '51-0', 'history was trimmed'],
  ['50-0', '49-0', undefined],
  ['0-0', '51-0', undefined],
])('a Redis that does not count entries is judged by positions: read to %s, first %s', (pos, first, expected) => {
  const ends = { first, last: '60-0', length: 10, added: undefined };
  expect(findGap({ pos, added: undefined, epoch: 'a' }, ends, 'a')).toBe(expected);
});

test('a reader that is ahead of nothing and behind nothing declares no gap, however long it looks', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis, prefix } = await openQueue(sandbox);
  const { feed, events, gaps } = await openFeed(sandbox, { silenceMs: 60 });
  // A queue without a stream: it begins after the feed follows it.
  await feed.follow(`other.${'0'.repeat(26)}`);
  const { id } = await submit();
  await feed.follow(id);
  const stream = queueKeys(prefix, 'other').events;
  for (let n = 0; n < 50; n += 1) {
    await redis.xadd(stream, 'MAXLEN', '=', 3, '*', 'event', 'waiting', 'jobId', `other.${'0'.repeat(26)}`);
    await until('the event', () => events.length > n);
  }
  await producer.cancel(id, 'ann');
  await until('the end', () => events.length === 51);
  expect(gaps).toEqual([]);
});

test.each(['deleted', 'deleted and begun anew at once', 'trimmed before it was read'])(
  'a stream that is %s is declared once, though no connection was lost',
  async (how) => {
    await using sandbox = await openSandbox();
    const { submit, producer, redis, prefix } = await openQueue(sandbox);
    const { feed, events, gaps } = await openFeed(sandbox, { silenceMs: SILENCE_MS });
    const [first, second] = [await submit(), await submit()];
    await feed.follow(first.id);
    await feed.follow(second.id);
    const stream = queueKeys(prefix, TYPE.queue).events;
    const change = redis.multi();
    if (how.startsWith('deleted')) change.del(stream);
    if (how.endsWith('at once')) change.xadd(stream, '*', 'event', 'waiting', 'jobId', first.id);
    if (how.startsWith('trimmed')) {
      change.xadd(stream, '*', 'event', 'waiting', 'jobId', first.id).xtrim(stream, 'MAXLEN', 0);
    }
    await change.exec();
    await until('the gap', () => gaps.length > 0);
    await producer.cancel(second.id, 'ann');
    await until('what follows', () => events.some(({ job }) => job === second.id));
    expect(gaps).toHaveLength(1);
  },
);

test('a key that is no stream is reported and left alone, and the other queues are read on', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, redis, prefix } = await openQueue(sandbox);
  const { feed, events, errors, gaps } = await openFeed(sandbox, { silenceMs: SILENCE_MS });
  const good = await submit();
  const bad = await submit({}, {}, { ...TYPE, queue: 'spoilt' });
  await feed.follow(good.id);
  await feed.follow(bad.id);
  const stream = queueKeys(prefix, 'spoilt').events;
  await redis.multi().del(stream).set(stream, 'no stream').exec();
  await until('the report', () => errors.some(({ message }) => message.includes(stream)));
  await producer.cancel(good.id, 'ann');
  await until('the event of the other queue', () => events.some(({ job }) => job === good.id));
  await redis.del(stream);
  await until('the gap', () => gaps.length > 0);
  await producer.cancel(bad.id, 'ann');
  await until('the event of the queue that is well again', () => events.some(({ job }) => job === bad.id));
});

test('a reader whose connection died without a word goes on where it stopped', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const reads = await connectOver(proxy.url, sandbox, 'feed');
  const { feed, events, gaps } = await openFeed(sandbox, { reads, silenceMs: SILENCE_MS });
  const jobs = await Promise.all(Array.from({ length: 10 }, () => submit()));
  for (const { id } of jobs) await feed.follow(id);
  proxy.silence();
  for (const { id } of jobs) await producer.cancel(id, 'ann');
  await until('all events', () => events.length >= jobs.length);
  expect(events.map(({ job }) => job)).toEqual(jobs.map(({ id }) => id));
  expect(gaps).toEqual([]);
});

test('a restart of Redis is declared once for everything that is followed', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit, producer } = await openQueue(sandbox);
  const reads = await connectOver(proxy.url, sandbox, 'feed');
  const commands = await connectOver(proxy.url, sandbox);
  const { feed, events, gaps } = await openFeed(sandbox, { reads, commands, silenceMs: SILENCE_MS });
  const { id } = await submit();
  const other = await submit({}, {}, { ...TYPE, queue: 'other' });
  await feed.follow(id);
  await feed.follow(other.id);
  proxy.cut();
  await until('the next connection', () => reads.status === 'ready');
  expect(gaps).toEqual([]);
  proxy.pretendRestart();
  proxy.cut();
  await until('the gaps', () => gaps.length === 2);
  await producer.cancel(id, 'ann');
  await until('what follows', () => events.length > 0);
  expect(gaps).toEqual(['Redis was restarted', 'Redis was restarted']);
});
