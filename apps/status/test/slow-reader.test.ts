import { resolve } from 'node:path';
import type { SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';
import { figure } from './figures.ts';
import { connect, follow } from './watcher.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_JOBS: resolve(__dirname, 'fixtures/flood.mjs') } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

/** 12 MB: far more than the two kernels buffer between a server and a client that does not read. */
const FLOOD = { chunks: 800, bytes: 15_000, pauseMs: 4 };
const NUMBERS = Array.from({ length: FLOOD.chunks }, (_, n) => n);

test('a client that stops reading costs little, disturbs nobody, and has the whole truth when it reads again', async () => {
  const { url } = spillway.status;
  await using slow = await connect(url);
  await using near = await connect(url);
  await using other = await connect(url);
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.flood', input: FLOOD });
  const followers = await Promise.all([slow, near, other].map((watcher) => follow(watcher, body.id)));
  const [behind, ...healthy] = followers;
  slow.line.pause();

  let most = 0;
  await until('the others to see the end', async () => {
    most = Math.max(most, await figure(url, 'spillway_live_buffered_bytes'));
    return healthy.every((follower) => follower.held()?.job.state === 'completed');
  });
  for (const { held } of healthy) expect(held()?.output.map(({ n }) => n)).toEqual(NUMBERS);
  // A budget of 64 KB, and what one report of the job carries on top of it.
  expect(most).toBeLessThan(1_500_000);
  expect(await figure(url, 'spillway_live_slow_readers_total', 'outcome="set_aside"')).toBeGreaterThan(0);
  expect(behind?.held()?.job.state).not.toBe('completed');

  slow.line.resume();
  await until('the slow one to see the end', () => behind?.held()?.job.state === 'completed');
  expect(behind?.held()?.output.map(({ n }) => n)).toEqual(NUMBERS);
  expect(behind?.resyncs).toContain('the client read too slowly');
});

test('who asks without reading the answers is not answered more than it can hold', async () => {
  const { url } = spillway.status;
  await using greedy = await connect(url);
  await using other = await connect(url);
  const input = { chunks: 100, bytes: 15_000, pauseMs: 0 };
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.flood', input });
  await call(spillway.url, 'GET', `/v1/jobs/${body.id}?wait=20`);
  greedy.line.pause();
  // 1.5 MB each, 150 MB in all.
  const answers = Promise.all(Array.from({ length: 100 }, () => greedy.watch(body.id)));
  // A connection that ends before it is answered fails the test below, once.
  answers.catch(() => undefined);
  await until('it to be set aside', async () => (await figure(url, 'spillway_live_buffered_bytes')) > 65_536);
  expect(await other.watch(body.id)).toMatchObject({ results: [{ snapshot: {} }] });
  expect(await figure(url, 'spillway_live_buffered_bytes')).toBeLessThan(4_000_000);
  greedy.line.resume();
  const snapshots = (await answers).map((reply) => ('results' in reply ? reply.results[0] : undefined));
  expect(snapshots.every((result) => result && 'snapshot' in result)).toBe(true);
});
