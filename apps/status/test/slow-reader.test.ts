import { resolve } from 'node:path';
import type { SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { figure } from './figures.ts';
import { connect, type Follower, follow, type Watcher } from './watcher.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_JOBS: resolve(__dirname, 'fixtures/flood.mjs') } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

async function submit(input: object): Promise<string> {
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.flood', input });
  return body.id;
}

function isCompleted({ held }: Follower): boolean {
  return held()?.job.state === 'completed';
}

/** 14 MB in all: far more than the two kernels buffer for a client that does not read; no faster than a worker reports. */
const FLOOD = { chunks: 240, bytes: 15_000, pauseMs: 27 };
const FLOODS = 4;
const NUMBERS = Array.from({ length: FLOOD.chunks }, (_, n) => n);

test('a client that stops reading costs little, disturbs nobody, and has the whole truth when it reads again', async () => {
  const { url } = spillway.status;
  await using slow = await connect(url);
  await using near = await connect(url);
  await using other = await connect(url);
  const jobs = await Promise.all(Array.from({ length: FLOODS }, () => submit(FLOOD)));
  const followAll = (watcher: Watcher) => Promise.all(jobs.map((id) => follow(watcher, id)));
  const [behind, ...healthy] = await Promise.all([slow, near, other].map(followAll));
  slow.line.pause();

  let most = 0;
  await until('the others to see the ends', async () => {
    most = Math.max(most, await figure(url, 'spillway_live_buffered_bytes'));
    return healthy.flat().every(isCompleted);
  });
  for (const { held } of healthy.flat()) expect(held()?.output.map(({ n }) => n)).toEqual(NUMBERS);
  // A budget of 64 KB, and what one report of each job carries on top of it.
  expect(most).toBeLessThan(1_500_000);
  expect(await figure(url, 'spillway_live_slow_readers_total', 'outcome="set_aside"')).toBeGreaterThan(0);
  expect(behind?.some(isCompleted)).toBe(false);

  slow.line.resume();
  await until('the slow one to see the ends', () => behind?.every(isCompleted));
  for (const { held } of behind ?? []) expect(held()?.output.map(({ n }) => n)).toEqual(NUMBERS);
  expect(behind?.[0]?.resyncs).toContain('the client read too slowly');
});

test('who asks without reading the answers is not answered more than it can hold', async () => {
  const { url } = spillway.status;
  await using greedy = await connect(url);
  await using other = await connect(url);
  const input = { chunks: 100, bytes: 15_000, pauseMs: 0 };
  const id = await submit(input);
  await call(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`);
  greedy.line.pause();
  // 1.5 MB each, 150 MB in all.
  const answers = Promise.all(Array.from({ length: 100 }, () => greedy.watch(id)));
  // A connection that ends before it is answered fails the test below, once.
  answers.catch(() => undefined);
  await until('it to be set aside', async () => (await figure(url, 'spillway_live_buffered_bytes')) > 65_536);
  expect(await other.watch(id)).toMatchObject({ results: [{ snapshot: {} }] });
  expect(await figure(url, 'spillway_live_buffered_bytes')).toBeLessThan(4_000_000);
  greedy.line.resume();
  const snapshots = (await answers).map((reply) => ('results' in reply ? reply.results[0] : undefined));
  expect(snapshots.every((result) => result && 'snapshot' in result)).toBe(true);
});
