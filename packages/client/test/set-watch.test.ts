import type { JobsById } from '../src/index.ts';
import { openHouse } from './house.ts';
import { JOB, until } from './live-server.ts';

const SECOND = JOB.replace(/D$/, 'E');
const TAG = { tags: ['orders'] };

function statesOf(jobs: JobsById): string[] {
  return [...jobs.values()].map(({ id, state }) => `${id.at(-1)} ${state}`).toSorted();
}

test('a set begins with its jobs and follows them, those that join and those that are removed', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.add(JOB, TAG);
  const set = client.watchAll({ tag: 'orders' });
  await until(() => set.total === 1);
  server.change({ kind: 'state', state: 'active' });
  await until(() => set.jobs.get(JOB)?.state === 'active');

  server.add(SECOND, TAG);
  const { log: _log, output: _output, ...rest } = server.truth(SECOND);
  const joined = { ...rest, log: [], output: [] };
  server.tell([{ job: SECOND, pos: joined.cursor.pos, at: 0, kind: 'joined', snapshot: joined }]);
  server.change({ kind: 'report', progress: { fraction: 0.5 } }, SECOND);
  await until(() => set.jobs.get(SECOND)?.progress?.fraction === 0.5);
  expect(set.total).toBe(2);
  server.change({ kind: 'removed' });
  await until(() => set.jobs.size === 1);
  expect(statesOf(set.jobs)).toEqual(['E waiting']);
  expect(set.total).toBe(1);

  set.close();
  await set.ended;
  expect(client.connection.state).toBe('idle');
});

test('after a lost connection a set is the truth again', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.add(JOB, TAG);
  const set = client.watchAll({ tag: 'orders' });
  const sizes: number[] = [];
  set.onChange((jobs) => sizes.push(jobs.size));
  await until(() => set.total === 1);
  server.cut();
  await until(() => client.connection.state === 'reconnecting');
  server.change({ kind: 'state', state: 'completed' });
  server.add(SECOND, TAG);
  await until(() => set.total === 2);
  expect(statesOf(set.jobs)).toEqual(['D completed', 'E waiting']);
  expect(sizes).toEqual([1, 2]);
});

test("a set hides nothing from a job's own watch", async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.add(JOB, TAG);
  const set = client.watchAll({ tag: 'orders' });
  const watch = client.watch(JOB);
  await until(() => set.total === 1 && watch.current !== undefined);
  expect(server.connections).toBe(1);
  server.change({ kind: 'report', log: [{ n: 0, line: 'a' }] });
  server.change({ kind: 'state', state: 'completed' });
  expect((await watch.done).log).toHaveLength(1);
  await until(() => set.jobs.get(JOB)?.state === 'completed');
});

test('while WebSockets are blocked, a set is read by its list', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.blocked = true;
  server.add(JOB, TAG);
  const set = client.watchAll({ tag: 'orders' });
  await until(() => set.total === 1);
  server.change({ kind: 'state', state: 'completed' });
  await until(() => set.jobs.get(JOB)?.state === 'completed');
});

test('two watches of one set are asked for once, and the set ends with the last', async () => {
  await using house = await openHouse();
  const { server, client } = house;
  server.add(JOB, TAG);
  const [first, second] = [client.watchAll({ tag: 'orders' }), client.watchAll({ tag: 'orders' })];
  await until(() => first.total === 1 && second.total === 1);
  expect(server.asked).toHaveLength(1);
  first.close();
  server.change({ kind: 'state', state: 'completed' });
  await until(() => second.jobs.get(JOB)?.state === 'completed');
});
