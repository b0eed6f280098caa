import type { TickOutcome } from '@spillway/contracts';
import { openSandbox } from '@spillway/testkit';
import { tickClaim } from '../src/producer/index.ts';
import { createSchedules, type Schedules, type StoredSchedule } from '../src/schedules/index.ts';
import { openQueue, TYPE } from './fixture.ts';

const DEFINITION = { type: TYPE.type, everyMs: 1000 };
const OUTCOME: TickOutcome = { at: new Date(1).toISOString(), outcome: 'submitted' };

async function open() {
  const sandbox = await openSandbox();
  const { redis, prefix, producer } = await openQueue(sandbox);
  const schedules = createSchedules({ redis, prefix });
  const put = (name: string, due: number, definition = DEFINITION) =>
    schedules.put({ name, definition, tenant: undefined, due, now: 0 });
  return {
    sandbox,
    redis,
    prefix,
    producer,
    schedules,
    put,
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

/** The one schedule that is due. */
async function dueOf(schedules: Schedules, holder = 'a'): Promise<StoredSchedule> {
  const [schedule] = (await schedules.look(holder))?.schedules ?? [];
  if (!schedule) throw new Error('expected a schedule that is due, got none');
  return schedule;
}

test('one process at a time looks after schedules, and lets go when it ends', async () => {
  await using it = await open();
  expect(await it.schedules.look('a')).toMatchObject({ schedules: [], more: false, nextAt: undefined });
  expect(await it.schedules.look('b')).toBeUndefined();
  await it.schedules.release('b');
  expect(await it.schedules.look('b')).toBeUndefined();
  await it.schedules.release('a');
  expect(await it.schedules.look('b')).toBeDefined();
});

test('a look brings what is due, and says when the next one is', async () => {
  await using it = await open();
  const later = (await it.schedules.now()) + 60_000;
  await it.put('due', 1000);
  await it.put('later', later);
  const found = await it.schedules.look('a');
  expect(found).toMatchObject({ more: false, nextAt: later, schedules: [{ name: 'due', due: 1000, pending: [] }] });
});

test('of many processes that fire a tick at the same time, one does', async () => {
  await using it = await open();
  await it.put('due', 1000);
  const seen = await dueOf(it.schedules);
  const fired = await Promise.all(Array.from({ length: 20 }, () => it.schedules.advance(seen, [1000], 2000)));
  expect(fired.filter(Boolean)).toHaveLength(1);
  expect(await it.schedules.get('due')).toMatchObject({ due: 2000, pending: [1000], ticks: 1 });
});

test('ticks that fired are found until their jobs are stored, and then the next one waits', async () => {
  await using it = await open();
  const later = (await it.schedules.now()) + 60_000;
  await it.put('due', 1000);
  await it.schedules.advance(await dueOf(it.schedules), [1000], later);
  await it.schedules.release('a');
  const found = await dueOf(it.schedules, 'b');
  expect(found.pending).toEqual([1000]);
  await it.schedules.settle(found, found.pending, OUTCOME);
  expect(await it.schedules.look('b')).toMatchObject({ schedules: [], nextAt: later });
  expect(await it.schedules.get('due')).toMatchObject({ last: OUTCOME, pending: [] });
});

test('a process that was slow does not settle what another has fired since', async () => {
  await using it = await open();
  await it.put('due', 1000);
  await it.schedules.advance(await dueOf(it.schedules), [1000], 2000);
  const slow = await dueOf(it.schedules);
  await it.schedules.settle(slow, [1000], OUTCOME);
  await it.schedules.advance(await dueOf(it.schedules), [2000], 3000);
  await it.schedules.settle(slow, [1000], OUTCOME);
  expect(await it.schedules.get('due')).toMatchObject({ pending: [2000] });
});

test('a schedule that was changed meanwhile neither moves on nor is settled', async () => {
  await using it = await open();
  await it.put('due', 1000);
  const old = await dueOf(it.schedules);
  expect(await it.put('due', 1500, { ...DEFINITION, everyMs: 5000 })).toBe('changed');
  expect(await it.schedules.advance(old, [1000], 2000)).toBe(false);
  await it.schedules.settle(old, [1000], OUTCOME);
  expect(await it.schedules.get('due')).toMatchObject({ due: 1500, pending: [], last: undefined });
});

test('a pause lets a tick that has fired be stored, and none after it', async () => {
  await using it = await open();
  await it.put('due', 1000);
  await it.schedules.advance(await dueOf(it.schedules), [1000], 2000);
  await it.schedules.pause('due');
  const found = await dueOf(it.schedules);
  await it.schedules.settle(found, found.pending, OUTCOME);
  expect(await it.schedules.look('a')).toMatchObject({ schedules: [], nextAt: undefined });
  expect(await it.schedules.resume('due', async () => 3000)).toBe(true);
  expect(await dueOf(it.schedules)).toMatchObject({ due: 3000 });
});

test('the job of a tick is stored once, also after it was removed', async () => {
  await using it = await open();
  await it.put('due', 1000);
  const { revision } = await it.schedules.get('due');
  for (const overlap of ['allow', 'skip', 'queue-one'] as const) {
    const claim = tickClaim(TYPE.queue, revision + overlap, 1_000_000);
    const store = () => it.producer.submit({ type: TYPE, input: {}, schedule: { name: overlap, overlap }, claim });
    const [first, second] = await Promise.all([store(), store()]);
    expect([first.id, second.id, first.createdAt]).toEqual([claim.id, claim.id, new Date(1_000_000).toISOString()]);
    await it.producer.remove(claim.id);
    await store();
    expect(await it.redis.exists(`${it.prefix}:{${TYPE.queue}}:${claim.id}`)).toBe(0);
  }
});

test('there is a limit to how many schedules there are, and those that are there can still be changed', async () => {
  await using it = await open();
  await it.put('first', 1000);
  const others = Array.from({ length: 999 }, (_, index) => [0, `other-${index}`]).flat();
  await it.redis.zadd(`${it.prefix}:{registry}:schedules`, ...others);
  await expect(it.put('one-more', 1000)).rejects.toMatchObject({ code: 'too_many_schedules' });
  expect(await it.put('first', 1000, { ...DEFINITION, everyMs: 5000 })).toBe('changed');
  await it.schedules.remove('first');
  expect(await it.put('one-more', 1000)).toBe('created');
});
