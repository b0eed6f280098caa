import { createClient, type StorageLike } from '../src/index.ts';
import { type KeptJobs, keepJobs } from '../src/kept-jobs.ts';
import { lines, openHouse } from './house.ts';
import { JOB, LiveServer, until } from './live-server.ts';

class MemoryStorage implements StorageLike {
  readonly entries = new Map<string, string>();
  full = false;
  get length(): number {
    return this.entries.size;
  }
  key(index: number): string | null {
    return [...this.entries.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.entries.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (this.full) throw new Error('QuotaExceededError');
    this.entries.set(key, value);
  }
  removeItem(key: string): void {
    this.entries.delete(key);
  }
}

test('what was held is shown at once after a reload, and continued from its cursor', async () => {
  const store = new MemoryStorage();
  await using house = await openHouse({ store });
  const { server } = house;
  const before = house.client.watch(JOB);
  await until(() => before.current !== undefined);
  server.change({ kind: 'report', log: [{ n: 0, line: 'before' }] });
  await until(() => before.current?.log.length === 1);
  house.client.close();

  const client = createClient({ baseUrl: server.url, store });
  const after = client.watch(JOB);
  expect(lines(after.current)).toEqual(['0 before']);
  server.change({ kind: 'report', log: [{ n: 1, line: 'after' }] });
  await until(() => after.current?.log.length === 2);
  expect(server.asked.at(-1)).toEqual([{ job: JOB, after: expect.objectContaining({ log: 1 }) }]);
  server.change({ kind: 'state', state: 'completed' });
  expect(lines(await after.done)).toEqual(['0 before', '1 after']);
  expect(store.entries.size).toBe(0);
});

async function someJob() {
  await using server = await LiveServer.start();
  server.add();
  server.change({ kind: 'report', log: [{ n: 0, line: 'a' }] });
  return server.truth();
}

function reread(store: MemoryStorage): KeptJobs {
  return keepJobs(store, 'here');
}

test('a job with too long a log is kept without it, and asked for from the start', async () => {
  const store = new MemoryStorage();
  const held = await someJob();
  const kept = reread(store);
  kept.write({ ...held, log: [{ n: 0, line: 'x'.repeat(300_000) }] });
  kept.flush();
  expect(reread(store).read(JOB)).toEqual({
    job: held.job,
    cursor: { pos: '0-0', log: 0, output: 0 },
    log: [],
    output: [],
  });
});

test('a job that is too large even so is not kept', async () => {
  const store = new MemoryStorage();
  const held = await someJob();
  const kept = reread(store);
  kept.write({ ...held, job: { ...held.job, input: 'x'.repeat(300_000) } });
  kept.flush();
  expect(store.entries.size).toBe(0);
});

test('a full storage is no error', async () => {
  const store = new MemoryStorage();
  store.full = true;
  const kept = reread(store);
  kept.write(await someJob());
  expect(() => kept.flush()).not.toThrow();
});

test.each([
  ['no JSON', () => '{'],
  ['null', () => 'null'],
  ['something else', () => '{"at":1}'],
  [
    'no cursor',
    () => JSON.stringify({ at: Date.now(), held: { job: { id: JOB, state: 'active' }, log: [], output: [] } }),
  ],
  ['older than a day', (good: string) => JSON.stringify({ ...JSON.parse(good), at: Date.now() - 25 * 60 * 60 * 1000 })],
])('an entry that is %s is ignored, and swept away at the next start', async (_what, broken) => {
  const store = new MemoryStorage();
  const kept = reread(store);
  kept.write(await someJob());
  kept.flush();
  const [[key, good] = ['', '']] = store.entries;
  expect(reread(store).read(JOB)).toBeDefined();
  store.entries.set(key, broken(good));
  expect(kept.read(JOB)).toBeUndefined();
  reread(store);
  expect(store.entries.size).toBe(0);
});

test('a job that is refused is kept no longer', async () => {
  const store = new MemoryStorage();
  await using house = await openHouse({ store });
  const { server, client } = house;
  const watch = client.watch(JOB);
  await until(() => watch.current !== undefined);
  client.close();
  expect(store.entries.size).toBe(1);
  server.change({ kind: 'removed' });
  await client.watch(JOB).done.catch(() => {});
  expect(store.entries.size).toBe(0);
});
