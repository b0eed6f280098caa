import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { type BriefEvent, parseBrief } from '../src/feed/brief-event.ts';
import { consume, openFeed, openQueue } from './fixture.ts';

/** Follows the queue `work` as a whole and keeps what is heard. */
async function follow(feed: Awaited<ReturnType<typeof openFeed>>['feed']) {
  const events: BriefEvent[] = [];
  const gaps: string[] = [];
  const release = await feed.followQueue('work', {
    onEvents: (_queue, heard) => events.push(...heard),
    onGap: (queue) => gaps.push(queue),
  });
  return { events, gaps, release };
}

const changes = (events: BriefEvent[]) =>
  events.map(({ change }) => (change?.kind === 'state' ? change.state : (change?.kind ?? 'named')));

test('whoever follows a queue hears state and progress of all its jobs, and the labels of new ones', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const { feed, events: followed } = await openFeed(sandbox);
  const { events } = await follow(feed);
  await consume(sandbox, async ({ reports }) => {
    reports.log('line');
    await reports.flush();
    reports.progress({ fraction: 0.5 });
    reports.output({ large: true });
    return { kind: 'completed', result: { large: true } };
  });
  const { id } = await submit({}, { tags: ['x'] });
  await until('the end', () => changes(events).includes('completed'));
  expect(changes(events)).toEqual(['waiting', 'active', 'report', 'completed']);
  expect(events.every(({ job }) => job === id)).toBe(true);
  expect(events[0]!.labels).toEqual({ tags: ['x'] });
  expect(events[2]!.change).toEqual({ kind: 'report', progress: { fraction: 0.5 } });
  expect(events[3]!.change).toEqual({ kind: 'state', state: 'completed' });
  expect(followed).toEqual([]);
});

test('a delayed job names its labels before it is told as delayed', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const { feed } = await openFeed(sandbox);
  const { events } = await follow(feed);
  await submit({}, { tags: ['x'], delayMs: 60_000 });
  await until('both', () => events.length === 2);
  expect(events).toMatchObject([{ labels: { tags: ['x'] } }, { change: { state: 'delayed' } }]);
  expect(changes(events)).toEqual(['named', 'delayed']);
});

test('one who lets go hears no more, and others still do', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const { feed } = await openFeed(sandbox);
  const [gone, stays] = [await follow(feed), await follow(feed)];
  gone.release();
  gone.release();
  await submit();
  await until('the event', () => stays.events.length > 0);
  expect(gone.events).toEqual([]);
});

test('a gap is declared for the whole queue', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix } = await openQueue(sandbox);
  const { feed } = await openFeed(sandbox);
  await submit();
  const { gaps } = await follow(feed);
  const stream = queueKeys(prefix, 'work').events;
  const list = String(await redis.client('LIST'));
  const reader = list.split('\n').find((line) => line.includes(`name=spillway:${sandbox.prefix}:feed `));
  await redis
    .multi()
    .client('KILL', 'ID', Number(/^id=(\d+)/.exec(reader!)![1]))
    .xadd(stream, '*', 'event', 'active', 'jobId', 'work.x')
    .xtrim(stream, 'MAXLEN', 0)
    .exec();
  await submit();
  await until('the gap', () => gaps.length > 0);
  expect(gaps).toEqual(['work']);
});

test.each([
  [['event', 'waiting', 'jobId', 'w.1'], { labels: {} }],
  [['event', 'waiting', 'jobId', 'w.1', 'prev', 'active'], { change: { kind: 'state', state: 'waiting' } }],
  [['event', 'waiting', 'jobId', 'w.1', 'labels', '{"batch":"b"}'], { labels: { batch: 'b' } }],
  [['event', 'report', 'jobId', 'w.1', 'log', '["a"]', 'logFrom', '0'], undefined],
  [['event', 'progress', 'jobId', 'w.1', 'data', '50', 'log', '{broken'], { change: { progress: { fraction: 0.5 } } }],
  [['event', 'completed', 'jobId', 'w.1', 'returnvalue', '{broken'], { change: { state: 'completed' } }],
  [['event', 'removed', 'jobId', 'w.1', 'prev', 'delayed'], { change: { kind: 'removed' } }],
  [['event', 'drained'], undefined],
])('to one who follows the queue the entry %j means %j', (fields, expected) => {
  const event = parseBrief(['5-1', fields as string[]]);
  if (expected === undefined) return expect(event).toBeUndefined();
  expect(event).toMatchObject({ job: 'w.1', pos: '5-1', at: 5, ...expected });
  if (!('labels' in expected)) expect(event).not.toHaveProperty('labels');
});
