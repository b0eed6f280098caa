import type { FlowMember, JobOptions } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { FlowProducer } from 'bullmq';
import type { ChildEnd, ConsumerSetup, Lease, Outcome } from '../src/consumer/index.ts';
import { engineName, queueKeys } from '../src/engine/keys.ts';
import { createAdmission } from '../src/producer/admission.ts';
import type { FlowTree } from '../src/producer/flow.ts';
import { addFlow } from '../src/producer/flow.ts';
import { COMPLETED, consume, gate, openFeed, openQueue, TYPE } from './fixture.ts';

const OTHER = { ...TYPE, type: 'test.part', queue: 'other' };
const failed = (message: string): Outcome => ({
  kind: 'failed',
  error: { code: 'handler_failed', message },
  retry: false,
});

function node(input: unknown, children: FlowTree[] = [], over: Partial<FlowTree> = {}): FlowTree {
  return { type: TYPE, input, children, ...over };
}

/** Queues, a producer that stores flows, and a worker for both queues once `work` is called. */
async function openFlows() {
  const sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  const submit = async (tree: FlowTree) => {
    const batch = queue.producer.newBatch();
    return { batch, ...(await queue.producer.submitFlow(tree, { batch })) };
  };
  const stateOf = async (id = '') => (await queue.reader.job(id)).state;
  return {
    ...queue,
    sandbox,
    submit,
    stateOf,
    async work(run: (lease: Lease) => Promise<Outcome>, setup: Partial<ConsumerSetup> = {}) {
      for (const name of ['work', 'other']) await consume(sandbox, run, { queue: name, ...setup });
    },
    ended: (id: string, state: string) => until(`${id} to be ${state}`, async () => (await stateOf(id)) === state),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

const childIds = ({ children = [] }: FlowMember) => children.map(({ id }) => id);

test('children run first, in whatever queue; the parent then gets their results in the order of submission', async () => {
  await using flows = await openFlows();
  const told: ChildEnd[][] = [];
  const parent = await flows.submit(
    node('root', [
      node('a', [], { type: OTHER, options: { priority: 3 } }),
      node('b', [node('b1', [], { type: OTHER })]),
      node('c', [], { options: { delayMs: 20 } }),
    ]),
  );
  expect(await flows.stateOf(parent.id)).toBe('blocked');
  expect(await flows.reader.job(parent.id)).toMatchObject({ children: childIds(parent), batch: parent.batch });
  expect(await flows.reader.job(childIds(parent)[1]!)).toMatchObject({ state: 'blocked', parent: parent.id });
  await flows.work(async ({ input, children }) => {
    const ends = await children();
    if (ends.length > 0) told.push(ends);
    return { kind: 'completed', result: `${input} done` };
  });
  await flows.ended(parent.id, 'completed');
  const [a = '', b = '', c = ''] = childIds(parent);
  expect(told.at(-1)).toEqual([
    { id: a, type: 'test.part', state: 'completed', result: 'a done' },
    { id: b, type: 'test.work', state: 'completed', result: 'b done' },
    { id: c, type: 'test.work', state: 'completed', result: 'c done' },
  ]);
  const { total, jobs } = await flows.reader.labelled({ batch: parent.batch }, ['work', 'other'], 10);
  expect([total, jobs.length]).toEqual([5, 5]);
  expect(jobs.find(({ job }) => job.id === a)?.job).toMatchObject({ parent: parent.id });
});

test('a parent is failed by a child that it needs, and says which; the siblings go on', async () => {
  await using flows = await openFlows();
  const hold = gate();
  const ran: unknown[] = [];
  const parent = await flows.submit(node('root', [node('bad'), node('good')]));
  await flows.work(async ({ input }) => {
    ran.push(input);
    if (input === 'good') await hold.opened;
    return input === 'bad' ? failed('no') : COMPLETED;
  });
  await flows.ended(parent.id, 'failed');
  const [bad = '', good = ''] = childIds(parent);
  expect((await flows.reader.job(parent.id)).error).toEqual({
    code: 'child_failed',
    message: `${bad}, which this job needs, failed or was cancelled`,
  });
  expect(await flows.stateOf(good)).toBe('active');
  hold.open();
  await flows.ended(good, 'completed');
  expect(ran).not.toContain('root');
});

test('a parent that can do without a child runs once all have ended, and sees how each did', async () => {
  await using flows = await openFlows();
  const told = gate<ChildEnd[]>();
  const parent = await flows.submit(
    node('root', [node('bad', [], { onFailure: 'ignore' }), node('gone', [], { onFailure: 'ignore' }), node('good')]),
  );
  const [bad, gone = '', good] = childIds(parent);
  await flows.producer.cancel(gone, 'ann');
  expect(await flows.stateOf(parent.id)).toBe('blocked');
  await flows.work(async ({ input, children }) => {
    if (input === 'root') told.open(await children());
    return input === 'bad' ? failed('no') : COMPLETED;
  });
  expect(await told.opened).toEqual([
    { id: bad, type: 'test.work', state: 'failed', error: { code: 'handler_failed', message: 'no' } },
    { id: gone, type: 'test.work', state: 'cancelled', error: { code: 'cancelled', message: 'cancelled by ann' } },
    { id: good, type: 'test.work', state: 'completed', result: null },
  ]);
  await flows.ended(parent.id, 'completed');
});

test.each<[string, JobOptions]>([
  ['in its line', {}],
  ['behind a priority', { priority: 2 }],
])('the last child that is cancelled lets its parent go on, %s', async (_place, options) => {
  await using flows = await openFlows();
  const parent = await flows.submit(node('root', [node('only', [], { onFailure: 'ignore' })], { options }));
  expect(await flows.producer.cancel(childIds(parent)[0]!, 'ann')).toEqual({ done: true });
  expect(await flows.stateOf(parent.id)).toBe('waiting');
  await flows.work(async () => COMPLETED);
  await flows.ended(parent.id, 'completed');
});

test('a parent’s delay counts from the end of its children', async () => {
  await using flows = await openFlows();
  const parent = await flows.submit(
    node('root', [node('only', [], { onFailure: 'ignore' })], { options: { delayMs: 60_000 } }),
  );
  const before = Date.now();
  await flows.producer.cancel(childIds(parent)[0]!, 'ann');
  const { state, runAt } = await flows.reader.job(parent.id);
  expect(state).toBe('delayed');
  expect(Date.parse(runAt!)).toBeGreaterThanOrEqual(before + 60_000);
});

test('a needed child that is cancelled fails its parent, and that one its own', async () => {
  await using flows = await openFlows();
  const root = await flows.submit(node('root', [node('middle', [node('leaf')])]));
  const middle = root.children![0]!;
  const leaf = childIds(middle)[0]!;
  await flows.producer.cancel(leaf, 'ann');
  await flows.work(async () => COMPLETED);
  await flows.ended(root.id, 'failed');
  expect((await flows.reader.job(middle.id)).error?.message).toContain(leaf);
  expect((await flows.reader.job(root.id)).error?.message).toContain(middle.id);
});

test('cancelling a parent cancels all that it waits for, at every level, a repeat finishes what was cut short, and a retry brings all back', async () => {
  await using flows = await openFlows();
  const root = await flows.submit(
    node('root', [
      node('middle', [node('leaf', [], { type: OTHER }), node('late', [], { options: { delayMs: 9e6 } })]),
    ]),
  );
  const middle = root.children![0]!;
  const all = [root.id, middle.id, ...childIds(middle)];
  expect(await flows.producer.cancel(root.id, 'ann')).toEqual({ done: true });
  for (const id of all) expect(await flows.stateOf(id)).toBe('cancelled');
  await flows.producer.retry(middle.children![0]!.id);
  expect(await flows.producer.cancel(root.id, 'ann')).toEqual({ done: false });
  for (const id of all) expect(await flows.stateOf(id)).toBe('cancelled');
  expect(await flows.producer.retry(root.id)).toEqual({ done: true });
  await flows.work(async () => COMPLETED);
  for (const id of all) await flows.ended(id, 'completed');
});

test('a child that runs is left to its worker when its parent is cancelled, and its end changes nothing', async () => {
  await using flows = await openFlows();
  const hold = gate();
  await flows.work(async () => {
    await hold.opened;
    return COMPLETED;
  });
  const parent = await flows.submit(node('root', [node('runs')]));
  const [child = ''] = childIds(parent);
  await flows.ended(child, 'active');
  expect(await flows.producer.cancel(parent.id, 'ann')).toEqual({ done: true });
  hold.open();
  await flows.ended(child, 'completed');
  expect(await flows.stateOf(parent.id)).toBe('cancelled');
});

test('a retry of a parent takes the children that failed it along, and waits for them', async () => {
  await using flows = await openFlows();
  let broken = true;
  const hold = gate();
  const ran: unknown[] = [];
  const root = await flows.submit(node('root', [node('middle', [node('leaf'), node('other')])]));
  await flows.work(async ({ input }) => {
    ran.push(input);
    if (broken) return input === 'leaf' ? failed('no') : COMPLETED;
    await hold.opened;
    return COMPLETED;
  });
  await flows.ended(root.id, 'failed');
  await until('the sibling', () => ran.includes('other'));
  broken = false;
  expect(await flows.producer.retry(root.id)).toEqual({ done: true });
  expect(await flows.stateOf(root.id)).toBe('blocked');
  hold.open();
  await flows.ended(root.id, 'completed');
  expect(ran.filter((input) => input !== 'other')).toEqual(['leaf', 'leaf', 'middle', 'root']);
  expect(ran.filter((input) => input === 'other')).toHaveLength(1);
});

test('a parent that is cancelled before it was failed by its child runs after a retry', async () => {
  await using flows = await openFlows();
  const parent = await flows.submit(node('root', [node('needed')]));
  await flows.producer.cancel(childIds(parent)[0]!, 'ann');
  expect(await flows.stateOf(parent.id)).toBe('waiting');
  expect(await flows.producer.cancel(parent.id, 'ann')).toEqual({ done: true });
  expect(await flows.producer.retry(parent.id)).toEqual({ done: true });
  await flows.work(async () => COMPLETED);
  await flows.ended(parent.id, 'completed');
});

test('a child is not retried while its parent runs without it', async () => {
  await using flows = await openFlows();
  const hold = gate();
  const parent = await flows.submit(node('root', [node('bad', [], { onFailure: 'ignore' })]));
  await flows.work(async ({ input }) => {
    if (input === 'bad') return failed('no');
    await hold.opened;
    return COMPLETED;
  });
  await flows.ended(parent.id, 'active');
  const [child = ''] = childIds(parent);
  await expect(flows.producer.retry(child)).rejects.toMatchObject({
    code: 'job_active',
    message: expect.stringContaining(parent.id),
  });
  hold.open();
  await flows.ended(parent.id, 'completed');
  expect(await flows.producer.retry(child)).toEqual({ done: true });
});

test('what a flow still waits for cannot be removed; what has ended can, one by one', async () => {
  await using flows = await openFlows();
  const parent = await flows.submit(node('root', [node('a'), node('b')]));
  const [a = '', b = ''] = childIds(parent);
  for (const [id, other] of [
    [parent.id, 'its children'],
    [a, parent.id],
  ])
    await expect(flows.producer.remove(id!)).rejects.toMatchObject({
      code: 'not_finished',
      message: expect.stringContaining(other!),
    });
  await flows.producer.cancel(parent.id, 'ann');
  await flows.producer.remove(parent.id);
  expect(await flows.stateOf(a)).toBe('cancelled');
  await flows.producer.remove(a);
  await flows.producer.remove(b);
  // Their batch is remembered for longer: how it ended can be read, and expires.
  const ofJobs = (key: string) => /[0-9A-Z]{26}/.test(key) && !key.includes('batch:');
  const left = (await flows.redis.keys(`${flows.prefix}:*`)).filter(ofJobs);
  expect(left).toEqual([]);
});

test('a parent keeps the results of children that are forgotten', async () => {
  await using flows = await openFlows();
  const hold = gate();
  const told = gate<ChildEnd[]>();
  const parent = await flows.submit(node('root', [node('quick'), node('slow')]));
  const [quick = ''] = childIds(parent);
  await flows.work(async ({ input, children }) => {
    if (input === 'slow') await hold.opened;
    if (input === 'root') told.open(await children());
    return { kind: 'completed', result: input };
  });
  await flows.ended(quick, 'completed');
  await flows.producer.remove(quick);
  hold.open();
  expect((await told.opened).map((end) => end.state === 'completed' && end.result)).toEqual(['quick', 'slow']);
});

test('a flow that is sent twice, because its answer was lost, is stored once', async () => {
  await using flows = await openFlows();
  const { redis, prefix } = flows;
  let n = 0;
  const newId = (queue: string) => `${queue}.01M8000000000000000000000${n++ % 3}`;
  const admission = createAdmission({ now: Date.now });
  const setup = { redis, prefix, newId, admission, toStored: () => ({ batch: 'b' }) };
  const tree = node('root', [node('a'), node('b')]);
  const first = await addFlow(setup, tree, { batch: 'b' }, 1);
  await flows.producer.cancel(first.children![0]!.id, 'ann');
  expect(await addFlow(setup, tree, { batch: 'b' }, 1)).toEqual(first);
  const { counts } = await flows.reader.queue('work');
  expect(counts).toMatchObject({ waiting: 2, blocked: 0, failed: 1 });
});

test('watchers hear that a parent is blocked, and that it goes on', async () => {
  await using flows = await openFlows();
  const { feed, events } = await openFeed(flows.sandbox);
  const parent = await flows.submit(node('root', [node('only')]));
  await feed.follow(parent.id);
  await flows.work(async () => COMPLETED);
  await until('the end', () => events.some((event) => event.kind === 'state' && event.state === 'completed'));
  expect(events.flatMap((event) => (event.kind === 'state' ? [event.state] : []))).toEqual([
    'waiting',
    'active',
    'completed',
  ]);
  const stream = await flows.redis.xrange(queueKeys(flows.prefix, 'work').events, '-', '+', 'COUNT', 1);
  expect(stream[0]![1]).toEqual([
    'event',
    'waiting-children',
    'jobId',
    parent.id,
    'labels',
    JSON.stringify({ batch: parent.batch }),
  ]);
});

test('a flow lies in Redis as if the engine itself had added it', async () => {
  await using flows = await openFlows();
  const { redis, prefix, sandbox } = flows;
  const ours = await flows.submit(
    node('root', [node('a', [], { options: { priority: 3 } }), node('b', [], { onFailure: 'ignore', type: OTHER })]),
  );
  const [a = '', b = ''] = childIds(ours);
  const engine = new FlowProducer({ connection: redis, prefix: `${prefix}:theirs` });
  sandbox.defer(() => engine.close());
  const queueName = engineName('work');
  await engine.add({
    name: TYPE.type,
    queueName,
    data: 'root',
    opts: { jobId: ours.id },
    children: [
      { name: TYPE.type, queueName, data: 'a', opts: { jobId: a, priority: 3, failParentOnFailure: true } },
      {
        name: OTHER.type,
        queueName: engineName('other'),
        data: 'b',
        opts: { jobId: b, ignoreDependencyOnFailure: true },
      },
    ],
  });
  const [mine, theirs] = await Promise.all([contents(prefix), contents(`${prefix}:theirs`)]);
  expect(mine).toEqual(theirs);

  /** Jobs, lines and links under a prefix, without times, options and what only one of the two has. */
  async function contents(under: string) {
    const keys = queueKeys(under, 'work');
    const other = queueKeys(under, 'other');
    const record = async (key: string) => {
      const { timestamp: _t, opts: _o, children: _c, n: _n, parent, ...fields } = await redis.hgetall(key);
      return { ...fields, ...(parent && { parent: JSON.parse(parent) as unknown }) };
    };
    const found = {
      records: await Promise.all([keys.job(ours.id), keys.job(a), other.job(b)].map(record)),
      lines: [await redis.lrange(keys.wait, 0, -1), await redis.lrange(other.wait, 0, -1)],
      prioritized: await redis.zrange(keys.prioritized, '0', '-1', 'WITHSCORES'),
      blocked: await redis.zrange(keys.blocked, '0', '-1'),
      dependencies: (await redis.smembers(`${keys.job(ours.id)}:dependencies`)).sort(),
      markers: [await redis.zrange(keys.marker, '0', '-1'), await redis.zrange(other.marker, '0', '-1')],
    };
    return JSON.parse(JSON.stringify(found).replaceAll(`${under}:`, 'P:')) as unknown;
  }
});
