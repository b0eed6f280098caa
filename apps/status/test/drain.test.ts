import { once } from 'node:events';
import type { SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startService, startSpillway, until } from '@spillway/testkit';
import { spreadMs } from '../src/drain.ts';
import { connect } from './watcher.ts';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

test('clients are asked to move, each at its own time, and served until they do', async () => {
  await using leaving = await startService('status', spillway.env);
  const watchers = await Promise.all(Array.from({ length: 20 }, () => connect(leaving.url)));
  const asked = watchers.map(({ socket }) => once(socket as never, 'drain') as Promise<[{ afterMs: number }]>);
  const body = { type: 'demo.steps', input: { steps: 20, stepMs: 50 } };
  const { id } = (await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', body)).body;
  const [last] = watchers;
  await last?.watch(id);
  const stopped = leaving.stop();

  const delays = (await Promise.all(asked)).map(([{ afterMs }]) => afterMs);
  expect(new Set(delays).size).toBeGreaterThan(5);
  expect(Math.max(...delays)).toBeLessThanOrEqual(1000);
  await expect(connect(leaving.url)).rejects.toThrow();
  await until('the end of the job', () =>
    last?.events.some((event) => event.kind === 'state' && event.state === 'completed'),
  );
  for (const { socket } of watchers) socket.close();
  expect(await stopped).toEqual({ code: 0, signal: null });
});

test('those that stay are cut at the deadline, for a reason after which a client connects again', async () => {
  await using leaving = await startService('status', { ...spillway.env, SPILLWAY_STATUS_STOP_MS: '300' });
  await using stays = await connect(leaving.url);
  await using stuck = await connect(leaving.url);
  stuck.line.pause();
  const ended = once(stays.socket as never, 'disconnect');
  expect(await leaving.stop()).toEqual({ code: 0, signal: null });
  // Not `io server disconnect`, after which Socket.IO's client stays away.
  expect((await ended)[0]).toBe('transport close');
});

test('readiness says no as soon as the process is asked to stop', async () => {
  await using leaving = await startService('status', spillway.env);
  await using watcher = await connect(leaving.url);
  const stopped = leaving.stop();
  // Nobody listens any more: to whoever asks, that is the no.
  await until('no', () =>
    call(leaving.url, 'GET', '/readyz').then(
      () => false,
      () => true,
    ),
  );
  watcher.socket.close();
  expect(await stopped).toEqual({ code: 0, signal: null });
});

test('without clients it stops at once', async () => {
  await using leaving = await startService('status', { ...spillway.env, SPILLWAY_STATUS_STOP_MS: '600000' });
  const once = await connect(leaving.url);
  once.socket.close();
  expect(await leaving.stop()).toEqual({ code: 0, signal: null });
});

test.each([
  [1, 10_000, 1000],
  [500, 10_000, 1000],
  [3000, 10_000, 6000],
  [20_000, 10_000, 8000],
  [5, 0, 0],
])('%i clients with %i ms left move within %i ms', (connections, stopMs, within) => {
  expect(spreadMs(connections, stopMs)).toBe(within);
});
