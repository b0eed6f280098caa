import {
  applyEvent,
  applySnapshot,
  type Job,
  type JobEvent,
  type JobType,
  type Snapshot,
  type WatchedJob,
} from '@spillway/contracts';
import { type BriefEvent, createFeed, type Feed, type QueueListener } from '@spillway/queue/feed';
import { createProducer } from '@spillway/queue/producer';
import { createReader, type Reader } from '@spillway/queue/reader';
import { createRegistry } from '@spillway/queue/registry';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { type AnySet, createSets } from '../src/sets.ts';

const TYPE: JobType = { type: 'test.work', queue: 'work', input: {}, defaults: {} };

/** What rooms were told. */
function outlet() {
  const told: { set: AnySet; event: JobEvent }[] = [];
  const resyncs: { set: AnySet; why: string }[] = [];
  return {
    told,
    resyncs,
    frame: (set: AnySet, events: JobEvent[]) => told.push(...events.map((event) => ({ set, event }))),
    resync: (set: AnySet, why: string) => resyncs.push({ set, why }),
    aggregate: () => undefined,
  };
}

/** Sets on a real feed. */
async function openSets(sandbox: Sandbox) {
  const { prefix } = sandbox;
  const redis = await sandbox.connect();
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const feed = createFeed({
    reads: await sandbox.connect('feed'),
    commands: redis,
    prefix,
    listener: { onEvents: () => undefined, onGap: () => undefined },
    onError,
  });
  sandbox.defer(() => feed.close());
  const producer = createProducer({ redis, prefix, onError });
  sandbox.defer(() => producer.close());
  const registry = createRegistry({ redis, prefix });
  await registry.publish([TYPE, { ...TYPE, type: 'test.other', queue: 'other' }]);
  const rooms = outlet();
  const sets = createSets({ feed, reader: createReader({ redis, prefix }), registry, outlet: rooms, onError });
  const submit = (options: object, queue = 'work') => producer.submit({ type: { ...TYPE, queue }, input: {}, options });
  return { redis, prefix, producer, submit, sets, errors, ...rooms };
}

/** Sets on a feed and a reader that the test plays itself. */
async function playSets(brief: Reader['brief'], target: AnySet = { tag: 'x' }) {
  let listener: QueueListener | undefined;
  const feed: Feed = {
    follow: async () => () => undefined,
    followQueue: async (_queue, heard) => {
      listener = heard;
      return () => undefined;
    },
    close: async () => undefined,
  };
  const reader = { brief, labelled: async () => ({ jobs: [], total: 0 }) } as unknown as Reader;
  const rooms = outlet();
  const clock = { now: 0 };
  const errors: unknown[] = [];
  const sets = createSets({
    feed,
    reader,
    registry: { types: async () => [TYPE] },
    outlet: rooms,
    onError: (error) => errors.push(error),
    now: () => clock.now,
  });
  const release = await sets.follow(target);
  return {
    sets,
    release,
    clock,
    errors,
    hear: (...events: BriefEvent[]) => listener?.onEvents('work', events),
    ...rooms,
  };
}

function snapshotAt(pos: string, id: string, job: Partial<Job> = {}): Snapshot {
  return {
    job: {
      id,
      type: 't',
      queue: 'work',
      state: 'waiting',
      attempt: 0,
      attempts: 1,
      createdAt: '',
      tags: ['x'],
      ...job,
    },
    cursor: { pos, log: 0, output: 0 },
    log: [],
    output: [],
  };
}

const active = (job: string, pos: string): BriefEvent => ({
  job,
  pos,
  at: 1,
  change: { kind: 'state', state: 'active' },
});
const completed = (job: string, pos: string): BriefEvent => ({
  job,
  pos,
  at: 1,
  change: { kind: 'state', state: 'completed' },
});
const kinds = (told: { event: JobEvent }[]) =>
  told.map(({ event }) => (event.kind === 'state' ? event.state : event.kind));

test('a job that a room does not know is told by its snapshot first, then by what the snapshot does not hold', async () => {
  const { hear, told } = await playSets(async (ids) => ids.map((id) => snapshotAt('2-0', id, { state: 'active' })));
  hear(active('work.a', '2-0'), completed('work.a', '3-0'));
  await until('the end', () => told.length === 2);
  expect(kinds(told)).toEqual(['joined', 'completed']);
  expect(told[0]!.event).toMatchObject({ pos: '2-0', snapshot: { job: { state: 'active' } } });
});

test('what happens while a job is looked up is told after it, in order', async () => {
  let answer: ((snapshots: Snapshot[]) => void) | undefined;
  const { hear, told } = await playSets(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  hear({ job: 'work.a', pos: '1-0', at: 1, labels: { tags: ['x'] }, change: { kind: 'state', state: 'waiting' } });
  hear(active('work.a', '2-0'));
  await until('the look', () => answer);
  answer?.([snapshotAt('1-0', 'work.a')]);
  hear(completed('work.a', '3-0'));
  await until('the end', () => told.length === 3);
  expect(kinds(told)).toEqual(['joined', 'active', 'completed']);
});

test('jobs that say they have no label are not looked up, others once', async () => {
  const asked: string[] = [];
  const { hear, told } = await playSets(async (ids) => {
    asked.push(...ids);
    return ids.map((id) => snapshotAt('2-0', id, id === 'work.other' ? { tags: ['y'] } : {}));
  });
  hear({ job: 'work.none', pos: '1-0', at: 1, labels: {}, change: { kind: 'state', state: 'waiting' } });
  hear(active('work.none', '1-1'), active('work.other', '1-2'), active('work.mine', '1-3'));
  await until('the member', () => told.length > 0);
  hear(active('work.none', '3-0'), active('work.other', '3-1'), active('work.mine', '3-2'));
  await until('its event', () => told.length === 2);
  expect(asked).toEqual(['work.other', 'work.mine']);
  expect(told.map(({ event }) => event.job)).toEqual(['work.mine', 'work.mine']);
});

test('whoever comes later is told of a running job anew, before its next event', async () => {
  const { hear, told, sets } = await playSets(async (ids) => ids.map((id) => snapshotAt('2-0', id)));
  hear(active('work.a', '2-0'));
  await until('the member', () => told.length === 1);
  hear(active('work.a', '3-0'));
  await until('its event', () => told.length === 2);
  await sets.read({ tag: 'x' });
  hear(active('work.a', '4-0'));
  await until('both', () => told.length === 4);
  expect(kinds(told)).toEqual(['joined', 'active', 'joined', 'active']);
});

test('when more jobs come than can be looked up, the room is told to start over, and not all the time', async () => {
  const { hear, resyncs, told, clock } = await playSets(async (ids) => ids.map((id) => snapshotAt('2-0', id)));
  const flood = (from: number) =>
    hear(...Array.from({ length: 10_001 }, (_, n) => active(`work.${from + n}`, `1-${from + n}`)));
  flood(0);
  await until('the resync', () => resyncs.length > 0);
  expect(resyncs).toEqual([{ set: { tag: 'x' }, why: expect.stringContaining('more jobs') }]);
  flood(20_000);
  hear(active('work.last', '9-9'));
  await until('the next job', () => told.some(({ event }) => event.job === 'work.last'));
  expect(resyncs).toHaveLength(1);
  clock.now = 5000;
  await until('the second resync', () => resyncs.length === 2);
});

test('a look-up that fails is made again', async () => {
  let failures = 0;
  const { hear, told, errors } = await playSets(async (ids) => {
    failures += 1;
    if (failures === 1) throw new Error('away');
    return ids.map((id) => snapshotAt('2-0', id));
  });
  hear(active('work.a', '1-0'));
  await until('the member', () => told.length === 1);
  expect(errors).toHaveLength(1);
});

test('when the last one leaves, nothing is told or looked up any more', async () => {
  const asked: string[] = [];
  const { hear, told, release, sets } = await playSets(async (ids) => {
    asked.push(...ids);
    return ids.map((id) => snapshotAt('2-0', id));
  });
  const other = await sets.follow({ tag: 'x' });
  release();
  release();
  hear(active('work.a', '1-0'));
  await until('the member', () => told.length === 1);
  hear(active('work.b', '1-0'));
  other();
  await sets.follow({ tag: 'y' });
  hear(active('work.c', '1-0'));
  await until('the next look', () => asked.includes('work.c'));
  expect(told).toHaveLength(1);
});

test('a gap in a queue’s history is declared to every set that may have jobs in it', async () => {
  await using sandbox = await openSandbox();
  const { sets, resyncs, redis, prefix, submit } = await openSets(sandbox);
  await submit({});
  for (const set of [{ tag: 'x' }, { tenant: 'shop' }, { queue: 'work' }, { queue: 'other' }]) await sets.follow(set);
  const list = String(await redis.client('LIST'));
  const reader = list.split('\n').find((line) => line.includes(`name=spillway:${prefix}:feed `));
  const stream = `${prefix}:{work}:events`;
  await redis
    .multi()
    .client('KILL', 'ID', Number(/^id=(\d+)/.exec(reader!)![1]))
    .xadd(stream, '*', 'event', 'active', 'jobId', 'work.x')
    .xtrim(stream, 'MAXLEN', 0)
    .exec();
  await submit({});
  await until('three resyncs', () => resyncs.length === 3);
  expect(resyncs.map(({ set }) => set)).toEqual([{ tag: 'x' }, { tenant: 'shop' }, { queue: 'work' }]);
});

test('watchers that come at any time all end with the truth', async () => {
  await using sandbox = await openSandbox();
  const { sets, submit, producer, told } = await openSets(sandbox);
  const set = { tag: 'x' };
  const ids: string[] = [];
  const watchers: { jobs: Map<string, WatchedJob>; from: number }[] = [];
  for (let round = 0; round < 12; round += 1) {
    const options = { tags: ['x'], delayMs: round % 2 ? 60_000 : 0 };
    const added = await Promise.all(Array.from({ length: 15 }, (_, n) => submit(options, n % 2 ? 'work' : 'other')));
    ids.push(...added.map(({ id }) => id));
    if (round % 3 === 0) {
      // As a connection does: the room first, the answer second.
      await sets.follow(set);
      const from = told.length;
      const { jobs } = await sets.read(set);
      watchers.push({ jobs: new Map(jobs.map((job) => [job.job.id, applySnapshot(undefined, job)])), from });
    }
    const ending = ids.filter((_, n) => n % 12 === round);
    await Promise.all(ending.map((id) => producer.cancel(id, 'ann').catch(() => undefined)));
  }
  const removed = ids.at(-1)!;
  await until('the last job', () => told.some(({ event }) => event.job === removed));
  await producer.remove(removed);
  await until('the removal', () => told.some(({ event }) => event.kind === 'removed'));
  const truth = new Map((await sets.read(set)).jobs.map(({ job }) => [job.id, job.state]));
  for (const { jobs, from } of watchers) {
    for (const { event } of told.slice(from)) {
      const held = jobs.get(event.job);
      if (held) jobs.set(event.job, applyEvent(held, event));
      else if (event.kind === 'joined') jobs.set(event.job, applySnapshot(undefined, event.snapshot));
    }
    for (const [id, { job, removed: isGone }] of jobs)
      if (!isGone && truth.has(id)) expect(job.state).toBe(truth.get(id));
    expect(jobs.get(removed)?.removed).toBe(true);
  }
  expect(truth.size).toBe(100);
});
