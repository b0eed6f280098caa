import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Job, type JobEvent, type Snapshot, SpillwayError } from '@spillway/contracts';
import { type Logger, OPEN_CALLER } from '@spillway/runtime';
import { until } from '@spillway/testkit';
import { accessOfKey } from '../src/access.ts';
import { createMetrics } from '../src/metrics.ts';
import { createRelay } from '../src/relay.ts';
import { createSlowReaders } from '../src/slow-readers.ts';
import { createEventStreams, type EventStreamsSetup } from '../src/sse.ts';
import { fold, logNumbers, numbers, readEvents } from './event-reader.ts';

const ID = 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV';
const PATH = `/v1/jobs/${ID}/events`;

/** A job that a test writes by hand: each change moves the position by one. */
function createScript() {
  const job: Job = { id: ID, type: 't', queue: 'demo', state: 'active', attempt: 1, attempts: 1, createdAt: '' };
  const lines: string[] = [];
  const metrics = createMetrics();
  const relay = createRelay({ metrics, slowReaders: createSlowReaders(metrics) });
  let pos = 0;
  const next = () => ({ job: ID, pos: `${++pos}-0`, at: 0 });
  const script = {
    relay,
    /** Runs before each snapshot is read; an error that it throws is the reader's. */
    beforeSnapshot: async () => {},
    snapshots: 0,
    /** One line, and the event that tells of it. */
    log(line: string): JobEvent {
      lines.push(line);
      return { ...next(), kind: 'report', log: [{ n: lines.length - 1, line }] };
    },
    end(): JobEvent {
      job.state = 'completed';
      return { ...next(), kind: 'state', state: 'completed' };
    },
    async snapshot(_id: string, after?: { log: number }): Promise<Snapshot> {
      script.snapshots += 1;
      await script.beforeSnapshot();
      const from = Math.min(after?.log ?? 0, lines.length);
      return {
        job: { ...job },
        cursor: { pos: `${pos}-0`, log: lines.length, output: 0 },
        log: lines.slice(from).map((line, index) => ({ n: from + index, line })),
        output: [],
      };
    },
  };
  return script;
}

type Script = ReturnType<typeof createScript>;

/** The streams of that one job on a port of their own. */
async function serve(script: Script, limits: EventStreamsSetup['limits'] = {}, other: Partial<EventStreamsSetup> = {}) {
  const unread: number[] = [];
  const errors: unknown[] = [];
  const streams = createEventStreams({
    relay: script.relay,
    reader: script,
    feed: { follow: async () => () => undefined },
    authorize: async () => accessOfKey(OPEN_CALLER),
    config: { origins: [] },
    logger: { error: (what: unknown) => errors.push(what) } as unknown as Logger,
    limits,
    ...other,
  });
  const server = createServer((request, response) => {
    const sampling = setInterval(() => unread.push(response.writableLength), 5);
    void streams.answer(request, response, ID).finally(() => clearInterval(sampling));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    streams,
    /** Bytes that waited for the reader, looked at all the time. */
    unread,
    errors,
    async [Symbol.asyncDispose]() {
      await streams.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a silent stream shows that it lives', async () => {
  await using server = await serve(createScript(), { heartbeatMs: 10 });
  await using reader = await readEvents(server.url, PATH);
  await until('three heartbeats', () => /\n\n(:\n\n){3}/.test(reader.text()));
  expect(reader.messages).toHaveLength(1);
});

test('what happens while the snapshot is taken is told once', async () => {
  const script = createScript();
  await using server = await serve(script);
  script.relay.onEvents([script.log('before anybody looked')]);
  script.beforeSnapshot = async () => script.relay.onEvents([script.log('in both'), script.log('in both too')]);
  await using reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  script.relay.onEvents([script.end()]);
  expect(await reader.over).toBe('ended');
  expect(logNumbers(reader.messages)).toEqual([0, 1, 2]);
  expect(reader.messages.at(-1)?.id).toBe('completed~4-0~3~0');
});

test.each<[string, (script: Script) => void]>([
  ['a declared gap', (script) => script.relay.onGap([ID], 'history was trimmed')],
  ['a line that is missing', (script) => script.relay.onEvents([script.log('the one behind it')])],
])('after %s the stream goes on from its cursor with a new snapshot', async (_what, happens) => {
  const script = createScript();
  await using server = await serve(script);
  await using reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  script.relay.onEvents([script.log('told')]);
  await until('its frame', () => reader.messages.length === 2);
  script.log('never told');
  happens(script);
  await until('another snapshot', () => reader.messages.at(-1)?.event === 'snapshot' && reader.messages.length > 2);
  script.relay.onEvents([script.log('told again'), script.end()]);
  expect(await reader.over).toBe('ended');
  const lines = fold(reader.messages)?.log ?? [];
  expect(logNumbers(reader.messages)).toEqual(numbers(lines.length));
  expect(lines.map(({ line }) => line)).toEqual(expect.arrayContaining(['told', 'never told', 'told again']));
});

test('while no snapshot can be had the reader keeps its stream, and a job that is gone by then was removed', async () => {
  const script = createScript();
  await using server = await serve(script);
  await using reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  script.beforeSnapshot = async () => {
    if (script.snapshots < 4) throw new SpillwayError('unavailable', 'expected Redis to answer, got nothing');
    throw new SpillwayError('job_not_found', 'expected a stored job');
  };
  script.relay.onGap([ID], 'Redis came back with less data');
  expect(await reader.over).toBe('ended');
  expect(reader.messages.map(({ event }) => event)).toEqual(['snapshot', 'removed']);
  expect(script.snapshots).toBe(4);
});

test('a reader that stops reading costs little, disturbs nobody, and has the whole truth when it reads again', async () => {
  const script = createScript();
  await using server = await serve(script);
  await using slow = await readEvents(server.url, PATH);
  await using quick = await readEvents(server.url, PATH);
  await until('both snapshots', () => slow.messages.length === 1 && quick.messages.length === 1);
  slow.response.pause();
  const lines = 300;
  for (let n = 0; n < lines; n++) {
    script.relay.onEvents([script.log('x'.repeat(50_000))]);
    if (n % 10 === 9) await until('the quick reader', () => logNumbers(quick.messages.slice(-1)).at(-1) === n);
  }
  expect(script.snapshots).toBe(2);
  slow.response.resume();
  script.relay.onEvents([script.end()]);
  expect(await Promise.all([slow.over, quick.over])).toEqual(['ended', 'ended']);
  for (const { messages } of [slow, quick]) {
    expect(logNumbers(messages)).toEqual(numbers(lines));
    expect(fold(messages)?.job.state).toBe('completed');
  }
  expect(script.snapshots).toBeGreaterThan(2);
  // The bound, one message and one piece; all that was written is fifteen megabytes.
  expect(Math.max(...server.unread)).toBeLessThan(1_000_000);
});

test('a reader that takes nothing at all is cut off', async () => {
  const script = createScript();
  await using server = await serve(script, { stuckMs: 100 });
  await using reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  reader.response.pause();
  await until('the end of the stream', () => {
    script.relay.onEvents([script.log('x'.repeat(50_000))]);
    return server.streams.size === 0;
  });
  reader.response.resume();
  expect(await reader.over).toBe('cut');
});

test('a reader that leaves is forgotten', async () => {
  await using server = await serve(createScript());
  const reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  expect(server.streams.size).toBe(1);
  reader.cut();
  await until('nobody', () => server.streams.size === 0);
  expect(server.errors).toEqual([]);
});

test('beyond the limit, and once it stops, a process opens no more streams', async () => {
  await using server = await serve(createScript(), { streams: 1 });
  await using first = await readEvents(server.url, PATH);
  await until('the snapshot', () => first.messages.length === 1);
  await using second = await readEvents(server.url, PATH);
  expect(second.response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } });
  await server.streams.close();
  expect(await first.over).toBe('ended');
  await until('nobody', () => server.streams.size === 0);
  await using third = await readEvents(server.url, PATH);
  expect(third.response.statusCode).toBe(503);
});

test('a job that the asker may not see is answered as one that does not exist', async () => {
  await using server = await serve(
    createScript(),
    {},
    { authorize: async () => ({ ...accessOfKey(OPEN_CALLER), maySee: () => false }) },
  );
  for (const path of [PATH, `${PATH}?wait=0`]) {
    const reader = await readEvents(server.url, path);
    expect(await reader.over).toBe('ended');
    expect(JSON.parse(reader.text())).toMatchObject({
      status: 404,
      code: 'job_not_found',
      detail: `expected the id of a stored job, got "${ID}"`,
    });
  }
});

test('a stream ends when the right to it does', async () => {
  let ended: SpillwayError | undefined;
  const authorize = async () => ({ ...accessOfKey(OPEN_CALLER), ended: () => ended });
  await using server = await serve(createScript(), { accessMs: 5 }, { authorize });
  await using reader = await readEvents(server.url, PATH);
  await until('the snapshot', () => reader.messages.length === 1);
  ended = new SpillwayError('unauthorized', 'expected a token that is valid, got one that has expired');
  expect(await reader.over).toBe('ended');
});

test('while Redis is away no stream begins', async () => {
  const follow = () => Promise.reject(new Error('Connection is closed.'));
  await using server = await serve(createScript(), {}, { feed: { follow } });
  await using reader = await readEvents(server.url, PATH);
  expect(reader.response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } });
});

test('an error that nobody expected is logged, and tells the asker nothing of itself', async () => {
  const authorize = () => Promise.reject(new TypeError('secret'));
  await using server = await serve(createScript(), {}, { authorize });
  const reader = await readEvents(server.url, PATH);
  expect(await reader.over).toBe('ended');
  expect(JSON.parse(reader.text())).toMatchObject({ status: 500, code: 'internal' });
  expect(reader.text()).not.toContain('secret');
  expect(server.errors).toMatchObject([{ err: expect.any(TypeError) }]);
});
