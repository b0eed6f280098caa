import { Job as EngineJob } from '@spillway/bullmq';
import type { PlaceInLine, WorkerInfo } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { openQueues } from '../src/engine/queue-handles.ts';
import { estimate } from '../src/rates/estimate.ts';
import type { Line } from '../src/rates/index.ts';
import { createRegistry } from '../src/registry/index.ts';
import { COMPLETED, consume, gate, openQueue, TYPE } from './fixture.ts';

async function openLine(sandbox: Sandbox) {
  const queue = await openQueue(sandbox);
  const { reader, redis, prefix } = queue;
  return {
    ...queue,
    keys: queueKeys(prefix, TYPE.queue),
    ahead: async (...ids: string[]) => {
      const places = await reader.positions(ids);
      return ids.map((id) => places.get(id)?.position.ahead);
    },
    beat: (concurrency: number) => createRegistry({ redis, prefix }).beat(worker(concurrency)),
  };
}

function worker(concurrency: number): WorkerInfo {
  const queues = [TYPE.queue];
  const made = { id: 'w1', host: 'h', pid: 1, queues, types: [TYPE.type], concurrency: { [TYPE.queue]: concurrency } };
  return { ...made, running: 0, startedAt: '', seenAt: '', version: '0' };
}

async function submitMany(submit: () => Promise<{ id: string }>, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push((await submit()).id);
  return ids;
}

test('a job that waits says how many are before it, and none is named once it runs', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, ahead } = await openLine(sandbox);
  const ids = await submitMany(submit, 4);
  expect(await ahead(...ids)).toEqual([0, 1, 2, 3]);
  expect((await reader.job(ids[2] ?? '')).position).toMatchObject({ ahead: 2, reason: 'no_worker' });
  expect((await reader.snapshot(ids[3] ?? '')).job.position).toMatchObject({ ahead: 3 });
  const held = gate();
  await consume(
    sandbox,
    async () => {
      await held.opened;
      return COMPLETED;
    },
    { concurrency: 2 },
  );
  await until('two starts', async () => (await reader.job(ids[1] ?? '')).state === 'active');
  expect(await ahead(...ids)).toEqual([undefined, undefined, 0, 1]);
  expect((await reader.job(ids[0] ?? '')).position).toBeUndefined();
  held.open();
  await until('the end', async () => (await reader.job(ids[3] ?? '')).state === 'completed');
  expect(await ahead(...ids, 'work.01JD2V9K8Q4W5X6Y7Z8A9B0C1D')).toEqual(Array(5).fill(undefined));
});

test('jobs with a priority stand behind those without, in their own order', async () => {
  await using sandbox = await openSandbox();
  const { submit, ahead } = await openLine(sandbox);
  const late = await submit({}, { priority: 9 });
  const early = await submit({}, { priority: 2 });
  const [first = ''] = await submitMany(submit, 1);
  expect(await ahead(late.id, early.id, first)).toEqual([2, 1, 0]);
});

test('a delayed job waits for its time, and behind others once that has come', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, redis, prefix, ahead } = await openLine(sandbox);
  const { id } = await submit({}, { delayMs: 60_000 });
  const { position } = await reader.job(id);
  expect(position).toMatchObject({ ahead: 0, reason: 'delayed' });
  expect(position?.startsInMs).toBeGreaterThan(50_000);
  const [before = ''] = await submitMany(submit, 1);
  const queues = openQueues(redis, prefix, () => undefined);
  sandbox.defer(() => queues.close());
  await (await EngineJob.fromId(queues.get(TYPE.queue), id))?.promote();
  const [behind = ''] = await submitMany(submit, 1);
  // The engine has put it in line, without a number.
  expect(await ahead(before, id)).toEqual([0, 1]);
  expect(await ahead(behind)).toEqual([1]);
});

test('a retried job stands at the end, behind those that came meanwhile', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, ahead } = await openLine(sandbox);
  const [first = '', second = ''] = await submitMany(submit, 2);
  await producer.cancel(first, 'a test');
  expect(await ahead(first, second)).toEqual([undefined, 0]);
  await producer.retry(first);
  expect(await ahead(second, first)).toEqual([0, 1]);
});

test('jobs that a stopping worker hands back stand at the front again, and nobody else moves', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, ahead } = await openLine(sandbox);
  const ids = await submitMany(submit, 6);
  const consumer = await consume(sandbox, () => new Promise(() => undefined), { concurrency: 2 });
  await until('two starts', async () => (await reader.job(ids[1] ?? '')).state === 'active');
  await consumer.stop(0);
  expect((await ahead(...ids.slice(0, 2))).sort()).toEqual([0, 1]);
  expect(await ahead(...ids.slice(2))).toEqual([2, 3, 4, 5]);
});

test('however many were cancelled before it, a job never has more before it than the line holds', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, ahead } = await openLine(sandbox);
  const ids = await submitMany(submit, 6);
  for (const id of ids.slice(1, 4)) await producer.cancel(id, 'a test');
  expect(await ahead(ids[0] ?? '', ids[5] ?? '')).toEqual([0, 2]);
});

test('where the queue stands still, every job says why, and none when it starts', async () => {
  await using sandbox = await openSandbox();
  const { submit, producer, reader, beat } = await openLine(sandbox);
  const { id } = await submit();
  await beat(10);
  await producer.pause(TYPE.queue);
  const { position } = await reader.job(id);
  expect(position).toMatchObject({ ahead: 0, reason: 'queue_paused' });
  expect(position).not.toHaveProperty('startsInMs');
});

test('places of many jobs of several queues are told in one go', async () => {
  await using sandbox = await openSandbox();
  const { submit, ahead } = await openLine(sandbox);
  const others = { ...TYPE, type: 'other.work', queue: 'other' };
  const ids = await Promise.all(Array.from({ length: 600 }, () => submit()));
  const other = await submit({}, {}, others);
  const told = await ahead(...ids.map((job) => job.id), other.id);
  expect(told).toEqual([...ids.map((_job, n) => n), 0]);
});

const RATES = { arrivalsPerSecond: 0, startsPerSecond: 0, endsPerSecond: 0, busySlots: 0 };
const MEASURED = { ...RATES, run: { meanMs: 100, deviationMs: 100 } };
const LINE: Line = { nowMs: 0, backlog: 50, active: 10, paused: false, rates: MEASURED };
const CREW = { workers: 1, slots: 10, types: new Set(['a']) };
const AT = 1_700_000_000_000;

test.each<[string, Partial<PlaceInLine>, { ahead?: number; dueAt?: number; line?: Partial<Line>; slots?: number }]>([
  ['behind others', { reason: 'workers_busy', startsInMs: 400 }, { ahead: 39 }],
  ['next, with every slot taken', { reason: 'next', startsInMs: 10 }, {}],
  ['next, with a free slot', { reason: 'next', startsInMs: 0 }, { line: { active: 9 } }],
  ['among those for whom slots are free', { reason: 'workers_busy', startsInMs: 0 }, { ahead: 4, line: { active: 5 } }],
  [
    'where nothing was measured',
    { reason: 'workers_busy', startsInMs: undefined },
    { ahead: 3, line: { rates: RATES } },
  ],
  ['next to a single slot with even run times', { startsInMs: 50 }, evenSingle()],
  ['in a paused queue', { reason: 'queue_paused', startsInMs: undefined }, { ahead: 3, line: { paused: true } }],
  [
    'at the queue’s limit',
    { reason: 'queue_limited', startsInMs: 500 },
    { ahead: 9, line: { concurrency: 2, active: 2 } },
  ],
  ['below a limit that its slots never reach', { reason: 'next' }, { line: { concurrency: 50 } }],
  [
    'where no more may start in this window',
    { reason: 'queue_limited', startsInMs: 2300 },
    { ahead: 25, line: { rate: { max: 10, perMs: 1000, startsLeft: 0, restMs: 300 } } },
  ],
  ['due later', { reason: 'delayed', startsInMs: 7000 }, { ahead: 2, dueAt: AT + 7000 }],
  ['overdue', { reason: 'delayed', startsInMs: 0 }, { dueAt: AT - 5 }],
])('the place of a job %s', (_what, expected, { ahead = 0, dueAt, line = {}, slots = 10 }) => {
  const place = { type: 'a', ahead, ...(dueAt !== undefined && { dueAt }) };
  const told = estimate(place, { ...LINE, ...line }, { ...CREW, slots }, AT);
  expect({ startsInMs: undefined, ...told }).toMatchObject({ ahead, at: new Date(AT).toISOString(), ...expected });
});

function evenSingle() {
  return { slots: 1, line: { active: 1, rates: { ...RATES, run: { meanMs: 100, deviationMs: 0 } } } };
}

test('a type that no living worker runs is not started by those that run others', () => {
  const told = estimate({ type: 'b', ahead: 0 }, LINE, CREW, AT);
  expect(told).toEqual({ ahead: 0, reason: 'no_worker', at: new Date(AT).toISOString() });
});

test('a job in the line of its group stands behind the main line, its own group and the turns of the others', async () => {
  await using sandbox = await openSandbox();
  const { submit, ahead, redis, keys } = await openLine(sandbox);
  const put = (group: string) => () => submit({}, { group });
  const a = await submitMany(put('a'), 20);
  const b = await submitMany(put('b'), 20);
  const main = await redis.llen(keys.wait);
  const line = await redis.zrange(`${keys.groupBase}line:b`, '0', '-1');
  expect(await ahead(...line.slice(0, 2))).toEqual([main + 1, main + 3]);
  // No more than there are.
  expect(await ahead(b.at(-1) ?? '')).toEqual([39]);
  expect(await ahead(a[0] ?? '')).toEqual([0]);
});

test('a job whose group is at its cap says so, and promises no time', async () => {
  await using sandbox = await openSandbox();
  const { submit, reader, beat, producer } = await openLine(sandbox);
  await producer.setLimits(TYPE.queue, { groups: { byName: { a: { concurrency: 1 } } } });
  await beat(10);
  const [, second = ''] = await submitMany(() => submit({}, { group: 'a' }), 2);
  const { position } = await reader.job(second);
  expect(position).toMatchObject({ ahead: 1, reason: 'group_cap' });
  expect(position?.startsInMs).toBeUndefined();
});
