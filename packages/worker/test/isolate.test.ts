import { Type } from '@spillway/schema';
import { until } from '@spillway/testkit';
import { defineJob } from '../src/index.ts';
import { withoutSecrets } from '../src/isolate/process.ts';
import { isAlive, openIsolates } from './isolates.ts';
import { makeLease } from './lease.ts';

// A thread or process starts in most of these, which takes its time on a busy machine.
jest.setTimeout(60_000);

const KINDS = [['test.thread'], ['test.process']];

/** Outcome of an attempt whose isolate died; `how` is a pattern. */
function crash(how: string) {
  const message = expect.stringMatching(`^expected the handler to return or to throw, but ${how}`);
  return { kind: 'failed', error: { code: 'handler_crashed', message }, retry: true };
}

function failure(code: string, message: string, retry: boolean) {
  return { kind: 'failed', error: { code, message: expect.stringContaining(message) }, retry };
}

interface Self {
  runs: number;
  pid: number;
  threadId: number;
}

type Opened = Awaited<ReturnType<typeof openIsolates>>;

/** Which isolate answers, and how many jobs it has run. */
async function whoami({ run }: Opened, type: string): Promise<Self> {
  const outcome = await run(type, { act: 'whoami' });
  if (outcome.kind === 'failed') throw new Error(outcome.error.message);
  return outcome.result as Self;
}

describe.each(KINDS)('a handler of %s that behaves', (type) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await openIsolates({ graceMs: 20_000 });
  });
  afterEach(async () => {
    // Every one of these leaves its isolate as it was.
    expect(opened.isolates.size).toBe(1);
  });
  afterAll(() => opened.stop());

  test('gets its context, runs elsewhere, and its isolate is used again', async () => {
    const outcome = await opened.run(type, { act: 'whoami', note: 'x' }, { attempt: 3 });
    expect(outcome).toMatchObject({
      kind: 'completed',
      result: { id: makeLease().id, type, attempt: 3, input: { act: 'whoami', ms: 0, note: 'x' }, runs: 1 },
    });
    const second = await whoami(opened, type);
    expect(second).toMatchObject({ runs: 2 });
    expect(second.pid === process.pid && second.threadId === 0).toBe(false);
  });

  test('tells its watchers as any other does', async () => {
    const lease = makeLease({ type, input: { act: 'tell' } });
    expect(await opened.runLease(lease)).toEqual({ kind: 'completed', result: 'told' });
    expect(lease.told).toMatchObject({ log: ['one', 'two'], output: [{ row: 1 }] });
    expect(lease.told.progress.at(-1)).toEqual({ fraction: 1 });
  });

  test('is heard while it computes without an await', async () => {
    const lease = makeLease({ type, input: { act: 'burn', ms: 500 } });
    const running = opened.runLease(lease);
    await until('progress on the way', async () => lease.told.progress.length > 0);
    expect(await Promise.race([running, 'still running'])).toBe('still running');
    expect(await running).toEqual({ kind: 'completed', result: 'burnt' });
    expect(lease.told.progress.at(-1)?.message).toBe('burning');
  });

  test('saves files that everybody can read', async () => {
    const outcome = await opened.run(type, { act: 'save' });
    expect(outcome).toMatchObject({ kind: 'completed' });
    expect(await opened.files.stat((outcome as { result: string }).result)).toMatchObject({ sizeBytes: 5 });
  });

  test.each([
    ['throws', 'throw', failure('handler_failed', 'expected better', true)],
    ['gives up for good', 'giveUp', failure('handler_failed', 'no such photo', false)],
    ['returns what JSON cannot hold', 'returnBigInt', failure('handler_invalid_result', 'BigInt', false)],
    ['returns too much', 'returnMuch', failure('result_too_large', 'at most 1000 bytes', false)],
    [
      'outputs what JSON cannot hold',
      'outputFunction',
      failure('handler_failed', 'expected something that JSON', true),
    ],
    ['outputs too much', 'outputMuch', failure('handler_failed', 'at most 16384 characters', true)],
    ['returns a date', 'returnDate', { kind: 'completed', result: { at: '1970-01-01T00:00:00.000Z' } }],
  ])('ends as on the event loop where it %s', async (_what, act, expected) => {
    expect(await opened.run(type, { act })).toMatchObject(expected);
  });

  test('never sees an input that does not fit', async () => {
    const { runs } = await whoami(opened, type);
    const input = { act: 'whoami', ms: 'long' } as unknown as { act: string };
    expect(await opened.run(type, input)).toMatchObject(failure('invalid_input', '/ms expected integer', false));
    expect(await whoami(opened, type)).toMatchObject({ runs: runs + 1 });
  });

  test('that throws leaves its own stack for the log', async () => {
    const outcome = await opened.run(type, { act: 'throw' });
    expect((outcome as { cause?: Error }).cause?.stack).toMatch(/TypeError: expected better\n.*isolated\.mjs/);
  });

  test('learns why its signal aborts, and is not killed when it stops then', async () => {
    const controller = new AbortController();
    const lease = makeLease({ type, input: { act: 'listen' }, signal: controller.signal });
    const running = opened.runLease(lease);
    await until('it listens', async () => lease.told.log.length > 0);
    controller.abort(new Error('lease lost'));
    expect(await running).toMatchObject(failure('handler_failed', 'lease lost', true));
    expect((await whoami(opened, type)).runs).toBeGreaterThan(1);
  });
});

describe.each(KINDS)('a handler of %s', (type) => {
  test('that exits fails its attempt with what happened, keeps what it said, and the next job has a fresh isolate', async () => {
    await using opened = await openIsolates();
    const lease = makeLease({ type, input: { act: 'exit' } });
    expect(await opened.runLease(lease)).toMatchObject(crash('its (thread|process) ended with exit code 3'));
    expect(lease.told.log).toEqual(['last words']);
    expect(await whoami(opened, type)).toMatchObject({ runs: 1 });
  });

  test('that throws where nobody catches fails its attempt with the error', async () => {
    await using opened = await openIsolates();
    expect(await opened.run(type, { act: 'stray' })).toMatchObject(
      crash('.* error that nothing caught: nobody catches this'),
    );
  });

  test('that sends what no isolate sends is killed', async () => {
    await using opened = await openIsolates();
    expect(await opened.run(type, { act: 'lie' })).toMatchObject(
      crash('it was killed: it said something that no isolate says'),
    );
  });

  test.each([['ignore'], ['spin']])('that does not stop when its time is over (%s) is killed', async (act) => {
    await using opened = await openIsolates();
    // The time of a job counts from the start of its isolate, which is not what this is about.
    await whoami(opened, type);
    const lease = makeLease({ type, input: { act }, timeoutMs: 500 });
    expect(await opened.runLease(lease)).toMatchObject(failure('timeout', 'within 500 ms', true));
    expect(lease.told.log).toHaveLength(1);
    await until('its end', async () => opened.isolates.size === 0);
  });

  test('that does not stop when its signal aborts is killed', async () => {
    await using opened = await openIsolates();
    const controller = new AbortController();
    const lease = makeLease({ type, input: { act: 'spin' }, signal: controller.signal });
    const running = opened.runLease(lease);
    await until('it spins', async () => lease.told.log.length > 0);
    controller.abort(new Error('cancelled'));
    expect(await running).toMatchObject(
      crash('it was killed: it ran on for 100 ms after its signal had aborted .cancelled.'),
    );
  });

  test('is killed when its worker stops, and none is started afterwards', async () => {
    await using opened = await openIsolates();
    const lease = makeLease({ type, input: { act: 'spin' } });
    const running = opened.runLease(lease);
    await until('it spins', async () => lease.told.log.length > 0);
    await opened.stop();
    expect(await running).toMatchObject(crash('its worker stops'));
    expect(opened.isolates.size).toBe(0);
    expect(await opened.run(type, { act: 'whoami' })).toMatchObject(crash('its worker stops'));
  });
});

test.each([['test.typed'], ['test.typed-process']])('a job file in TypeScript runs isolated too (%s)', async (type) => {
  await using opened = await openIsolates();
  expect(await opened.run(type, { act: 'four' })).toEqual({ kind: 'completed', result: { length: 4 } });
});

describe('a process isolate', () => {
  test('that is killed from outside says so', async () => {
    await using opened = await openIsolates();
    expect(await opened.run('test.process', { act: 'kill' })).toMatchObject(crash('its process was killed by SIGKILL'));
  });

  test('takes what its handler has started with it', async () => {
    await using opened = await openIsolates();
    const lease = makeLease({ type: 'test.process', input: { act: 'leaveChild' } });
    const running = opened.runLease(lease);
    await until('its child', async () => lease.told.log.length > 0);
    const pid = Number(lease.told.log[0]?.split(' ')[1]);
    expect(isAlive(pid)).toBe(true);
    await opened.stop();
    await running;
    await until('its end', async () => !isAlive(pid));
  });

  test('ignores a signal that somebody sends to all processes of a service', async () => {
    await using opened = await openIsolates();
    const { pid } = await whoami(opened, 'test.process');
    process.kill(pid, 'SIGTERM');
    expect(await whoami(opened, 'test.process')).toMatchObject({ pid, runs: 2 });
  });

  test("knows nothing of the worker's secrets", async () => {
    process.env.SPILLWAY_DELIVER_SECRET = 'whsec_x';
    try {
      await using opened = await openIsolates();
      const outcome = await opened.run('test.process', { act: 'environment' });
      expect(outcome).toEqual({ kind: 'completed', result: ['PATH'] });
    } finally {
      delete process.env.SPILLWAY_DELIVER_SECRET;
    }
  });

  test('knows no file of a secret either', () => {
    expect(
      withoutSecrets({ REDIS_URL: 'x', SPILLWAY_KEYS_FILE: '/run/keys', SPILLWAY_TOKEN_SECRET: 'y', HOME: '/' }),
    ).toEqual({ HOME: '/' });
  });
});

describe('isolates that are idle', () => {
  test('end after a while', async () => {
    await using opened = await openIsolates({ idleMs: 50 });
    await whoami(opened, 'test.thread');
    await until('its end', async () => opened.isolates.size === 0);
    expect(await whoami(opened, 'test.thread')).toMatchObject({ runs: 1 });
  });

  test('make room for other types of their queue', async () => {
    await using opened = await openIsolates({ concurrency: new Map([['isolated', 1]]) });
    await whoami(opened, 'test.thread');
    await whoami(opened, 'test.other-thread');
    await until('room', async () => opened.isolates.size === 1);
    expect(await whoami(opened, 'test.other-thread')).toMatchObject({ runs: 2 });
    expect(await whoami(opened, 'test.thread')).toMatchObject({ runs: 1 });
  });

  test('that died meanwhile are replaced', async () => {
    await using opened = await openIsolates();
    const { pid } = await whoami(opened, 'test.process');
    process.kill(pid, 'SIGKILL');
    await until('its end', async () => opened.isolates.size === 0);
    expect(await whoami(opened, 'test.process')).toMatchObject({ runs: 1 });
  });
});

test('a type whose file no longer defines it fails in words', async () => {
  await using opened = await openIsolates();
  const outcome = await opened.run('test.lost', { act: 'whoami' });
  expect(outcome).toMatchObject(crash('it ended with an error that nothing caught: expected '));
});

test.each<[unknown, string]>([
  ['fiber', `expected isolate to be 'thread', 'process' or { kind, memoryMb }, got "fiber"`],
  [true, 'got true'],
  [{ kind: 'vm' }, 'got {"kind":"vm"}'],
  [{ kind: 'thread', memoryMb: 1 }, 'expected isolate.memoryMb to be a whole number from 32 on, got 1'],
  [{ kind: 'process', memoryMb: '64' }, 'got "64"'],
])('isolate: %j is refused', (isolate, message) => {
  const define = () =>
    defineJob({ type: 'test.x', input: Type.Object({}), run: () => 1, isolate: isolate as 'thread' });
  expect(define).toThrow(message);
});
