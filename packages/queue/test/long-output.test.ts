import type { Cursor, Snapshot } from '@spillway/contracts';
import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { takeSnapshot, type WindowedSnapshot, windowAfter } from '../src/engine/snapshot.ts';
import { createReader } from '../src/reader/index.ts';
import { connectOver, openQueue, TYPE } from './fixture.ts';
import { argumentsOf } from './script-calls.ts';

const CHUNK = 'x'.repeat(12_000);

const numbers = (parts: readonly { n: number }[]): number[] => parts.map(({ n }) => n);
const range = (from: number, past: number): number[] => Array.from({ length: past - from }, (_, n) => from + n);

/** A job in Redis whose log and output are that long; `write` makes them longer, as a worker's report does. */
async function openLongJob(sandbox: Awaited<ReturnType<typeof openSandbox>>) {
  const queue = await openQueue(sandbox);
  const { id } = await queue.submit();
  const key = queueKeys(queue.prefix, TYPE.queue).job(id);
  const written = { log: 0, output: 0 };
  return {
    ...queue,
    id,
    key,
    async write(lines: number, chunks: number, kept = 1000) {
      const write = queue.redis.multi().hincrby(key, 'lc', lines).hincrby(key, 'oc', chunks);
      for (const n of range(written.log, written.log + lines)) write.rpush(`${key}:logs`, `line ${n}`);
      for (const n of range(written.output, written.output + chunks))
        write.rpush(`${key}:output`, JSON.stringify(`${n} ${CHUNK}`));
      write.ltrim(`${key}:logs`, -kept, -1).ltrim(`${key}:output`, -kept, -1);
      await write.exec();
      written.log += lines;
      written.output += chunks;
    },
  };
}

function expectWhole({ log, output, cursor }: Snapshot, from: Pick<Cursor, 'log' | 'output'>): void {
  expect(numbers(log)).toEqual(range(from.log, cursor.log));
  expect(numbers(output)).toEqual(range(from.output, cursor.output));
  for (const { n, line } of log) expect(line).toBe(`line ${n}`);
  for (const { n, chunk } of output) expect(chunk).toBe(`${n} ${CHUNK}`);
}

test('7 MB of output come in calls that are short for Redis, and whole', async () => {
  await using sandbox = await openSandbox();
  const { id, prefix, write, reader } = await openLongJob(sandbox);
  await write(900, 600);
  const redis = await connectOver(sandbox.redisUrl, sandbox);
  const calls = argumentsOf(redis);
  const snapshot = await createReader({ redis, prefix }).snapshot(id);
  expectWhole(snapshot, { log: 0, output: 0 });
  expect(snapshot.cursor).toMatchObject({ log: 900, output: 600 });
  expect(calls.length).toBeGreaterThan(20);
  const { log, output } = snapshot.cursor;
  expect(await reader.snapshot(id, { log, output })).toMatchObject({ log: [], output: [] });
  const page = await reader.output(id, 100, 250);
  expect(numbers(page.chunks)).toEqual(range(100, 350));
});

test('a snapshot that is taken while the job writes has no hole, and ends where its job stands', async () => {
  await using sandbox = await openSandbox();
  const { id, redis, prefix, write } = await openLongJob(sandbox);
  await write(990, 100);
  let writing = true;
  const writer = (async () => {
    while (writing) await write(7, 3);
  })();
  const snapshots: WindowedSnapshot[] = [];
  await until('ten snapshots', async () => {
    const snapshot = await takeSnapshot(redis, prefix, { queue: TYPE.queue, id }, windowAfter());
    return snapshot && snapshots.push(snapshot) === 10;
  });
  writing = false;
  await writer;
  for (const snapshot of snapshots) {
    expectWhole(snapshot, snapshot.first);
    expect(snapshot.cursor).toMatchObject(snapshot.totals);
  }
  const ends = snapshots.map(({ totals }) => totals.output);
  expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  expect(snapshots.at(-1)?.totals.log).toBeGreaterThan(1000);
});

test('what a job forgets between two pages is missing at the beginning, and nowhere else', async () => {
  await using sandbox = await openSandbox();
  const { id, prefix, write } = await openLongJob(sandbox);
  await write(10, 60);
  const pages = { count: 0 };
  const own = await connectOver(sandbox.redisUrl, sandbox);
  const read = own.evalsha.bind(own) as (...args: unknown[]) => Promise<unknown>;
  Object.assign(own, {
    async evalsha(...args: unknown[]) {
      const page = await read(...args);
      pages.count += 1;
      if (pages.count === 1) await write(5, 40, 20);
      return page;
    },
  });
  const found = await takeSnapshot(own, prefix, { queue: TYPE.queue, id }, windowAfter());
  if (!found) throw new Error('expected the job, got nothing');
  expect(pages.count).toBeGreaterThan(1);
  expect(found.cursor).toMatchObject({ output: 100 });
  expectWhole(found, found.first);
  expect(found.first.output).toBe(80);
});
