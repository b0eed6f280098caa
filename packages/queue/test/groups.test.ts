import { openSandbox, until } from '@spillway/testkit';
import { consume } from './fixture.ts';
import { AHEAD, openGroups } from './grouped.ts';

test('a group that comes last starts within one round, however many jobs of another stand before it', async () => {
  await using sandbox = await openSandbox();
  const { flood, put, run, ran } = await openGroups(sandbox);
  for (let chunk = 0; chunk < 20; chunk += 1) await flood('whale', 5000);
  await put('minnow');
  const consumer = await consume(sandbox, run, { concurrency: 1 });
  await until('the one job', () => ran.includes('minnow'));
  // Behind what was in the main line already, and the other group's turn.
  expect(ran.indexOf('minnow')).toBeLessThanOrEqual(AHEAD + 1);
  await consumer.stop(1000);
}, 120_000);

test('a thousand groups are served evenly, and leave nothing behind', async () => {
  await using sandbox = await openSandbox();
  const { submit, run, ran, emptied } = await openGroups(sandbox);
  const names = Array.from({ length: 1000 }, (_, n) => `group ${n}`);
  await Promise.all(names.map((group) => Promise.all([1, 2, 3].map(() => submit({ group }, { group })))));
  await consume(sandbox, run, { concurrency: 1 });
  await until('all jobs', () => ran.length === 3000);
  // The first groups have their turns while the last ones are still being stored.
  const second = ran.slice(1000 + AHEAD, 2000 - AHEAD);
  expect(new Set(second).size).toBe(second.length);
  expect(new Set(ran).size).toBe(1000);
  await emptied();
});

test('weights of three to one give shares of three to one', async () => {
  await using sandbox = await openSandbox();
  const { flood, run, ran } = await openGroups(sandbox, { byName: { heavy: { weight: 3 } } });
  await Promise.all([flood('light', 400), flood('heavy', 400)]);
  const consumer = await consume(sandbox, run, { concurrency: 1 });
  await until('both to be served', () => ran.length >= AHEAD + 400);
  await consumer.stop(1000);
  const heavy = ran.slice(AHEAD, AHEAD + 400).filter((group) => group === 'heavy').length;
  // Where the slice cuts a round there may be one more.
  expect(Math.abs(heavy - 300)).toBeLessThanOrEqual(3);
});

test('a group that was idle has saved up no turns, and one that comes back again and again gets no more than its share', async () => {
  await using sandbox = await openSandbox();
  const { flood, put, run, ran } = await openGroups(sandbox);
  await flood('busy', 300);
  const consumer = await consume(
    sandbox,
    async (lease) => {
      // One job at a time, the next as soon as the last has started.
      if ((lease.input as { group: string }).group === 'steady') await put('steady');
      return run(lease);
    },
    { concurrency: 1 },
  );
  await until('the busy one to have had its turns', () => ran.length >= 100);
  await put('steady');
  await until('both to be served', () => ran.length >= 300);
  await consumer.stop(1000);
  const first = ran.indexOf('steady');
  const steady = ran.slice(first, 300).filter((group) => group === 'steady').length;
  expect(steady).toBeGreaterThan(1);
  expect(steady).toBeLessThanOrEqual((300 - first) / 2 + 1);
});

test('inside a group jobs go by priority, then in the order in which they came', async () => {
  await using sandbox = await openSandbox();
  const { put, submit, line, main, limit } = await openGroups(sandbox, { default: { concurrency: 1 } });
  const first = await put('a');
  expect(await main()).toEqual([first.id]);
  const [low, plain, high, later] = [
    await put('a', { priority: 9 }),
    await put('a'),
    await put('a', { priority: 2 }),
    await put('a', { priority: 2 }),
  ];
  expect(await line('a')).toEqual([plain.id, high.id, later.id, low.id]);
  expect(low).toMatchObject({ priority: 9, group: 'a', state: 'waiting' });
  // They count for nothing outside of it: another group's first job starts before all of these.
  const other = await submit({}, { group: 'b', priority: 2_097_151 });
  await limit();
  expect((await main())[1]).toBe(other.id);
});

test('jobs of a group are stored, listed and counted like others, in whichever line they stand', async () => {
  await using sandbox = await openSandbox();
  const { put, reader, redis, keys } = await openGroups(sandbox, { default: { concurrency: 2 } });
  const jobs = [];
  for (let n = 0; n < 5; n += 1) jobs.push(await put(`it's "${n % 2}":{}`, { priority: n, tags: ['red'] }));
  expect(await reader.queue('work')).toMatchObject({ counts: { waiting: 5 } });
  expect(await redis.llen(keys.wait)).toBe(4);
  const { jobs: listed } = await reader.list({ limit: 10, state: 'waiting' }, ['work']);
  expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(jobs.map(({ id }) => id)));
  for (const job of jobs) {
    const read = await reader.job(job.id);
    expect(read).toMatchObject({ state: 'waiting', group: job.group, tags: ['red'] });
    expect(read.priority).toBe(job.priority);
  }
  expect(await reader.groups('work')).toEqual({
    withJobs: 1,
    longest: [{ name: 'it\'s "0":{}', waiting: 1, running: 2, weight: 1, concurrency: 2 }],
  });
  expect(await reader.groups('other')).toBeUndefined();
});

test('a job without a group is stored as if there were no groups, and starts while they take turns', async () => {
  await using sandbox = await openSandbox();
  const { flood, submit, redis, keys, run, ran } = await openGroups(sandbox, { default: { weight: 2 } });
  const alone = await submit({ group: 'none' });
  const before = await redis.hgetall(keys.job(alone.id));
  expect(Object.keys(before).sort()).toEqual(['data', 'delay', 'n', 'name', 'opts', 'priority', 'timestamp']);
  expect(before.opts).toBe('{}');
  await flood('whale', 200);
  const other = await submit({ group: 'none' });
  expect(Object.keys(await redis.hgetall(keys.job(other.id)))).toEqual(Object.keys(before));
  const events = (await redis.xrange(keys.events, '-', '+')).map(([, fields]) => fields);
  expect(events.filter((fields) => fields.includes(other.id))).toEqual([['event', 'waiting', 'jobId', other.id]]);
  const consumer = await consume(sandbox, run, { concurrency: 1 });
  await until('both', () => ran.filter((group) => group === 'none').length === 2);
  expect(ran.lastIndexOf('none')).toBeLessThanOrEqual(AHEAD + 1);
  await consumer.stop(1000);
});

test('a main line that is full of jobs without a group does not keep the groups out', async () => {
  await using sandbox = await openSandbox();
  const { flood, submit, slots } = await openGroups(sandbox);
  await Promise.all(Array.from({ length: 500 }, () => submit()));
  await flood('patient', 100);
  expect(await slots()).toEqual({ patient: String(AHEAD) });
});

test('more workers than the main line holds jobs for all find work', async () => {
  await using sandbox = await openSandbox();
  const { flood } = await openGroups(sandbox);
  await flood('long', 150);
  let running = 0;
  const consumer = await consume(
    sandbox,
    () => {
      running += 1;
      return new Promise<never>(() => undefined);
    },
    { concurrency: 100 },
  );
  await until('all of them to run', () => running === 100);
  await consumer.stop(0);
});
