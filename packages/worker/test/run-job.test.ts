import { runInNewContext } from 'node:vm';
import type { Lease } from '@spillway/queue/consumer';
import { Type } from '@spillway/schema';
import { z } from 'zod';
import {
  type DecideBackoff,
  defineJob,
  type JobContext,
  RetryAfterError,
  type Schema,
  UnrecoverableJobError,
} from '../src/index.ts';
import { runJob } from '../src/run-job.ts';
import { makeLease, setupFor } from './lease.ts';

/** Runs a handler as the job `test.work`, with the schemas and the lease that the test is about. */
function run(
  handler: (context: JobContext) => unknown,
  { lease = {}, input = Type.Unknown(), output }: { lease?: Partial<Lease>; input?: Schema; output?: Schema } = {},
) {
  const job = defineJob<Schema, Schema>({ type: 'test.work', input, output, run: handler });
  return runJob(makeLease(lease), setupFor(job));
}

function failure(code: string, message: unknown, retry: boolean) {
  return expect.objectContaining({ kind: 'failed', error: { code, message }, retry });
}

const never = () => new Promise<never>(() => undefined);

describe('a handler that returns', () => {
  test.each<[string, unknown, unknown]>([
    ['an object', { a: [1, null] }, { a: [1, null] }],
    ['a promise', Promise.resolve('done'), 'done'],
    ['nothing', undefined, null],
    ['null', null, null],
    ['0', 0, 0],
    ['false', false, false],
    ['an empty text', '', ''],
  ])('%s completes the job', async (_what, returned, result) => {
    expect(await run(() => returned)).toEqual({ kind: 'completed', result });
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const grumpy = {
    toJSON() {
      throw new Error('not today');
    },
  };

  test.each<[string, unknown, string]>([
    ['a BigInt', 10n, 'expected a result that JSON can hold: Do not know how to serialize a BigInt'],
    ['a BigInt inside', { rows: [10n] }, 'expected a result that JSON can hold: Do not know how to serialize a BigInt'],
    ['something that holds itself', cyclic, 'expected a result that JSON can hold: Converting circular structure'],
    ['a function', () => 1, 'expected a result that JSON can hold, got a function'],
    ['a symbol', Symbol('x'), 'expected a result that JSON can hold, got a symbol'],
    ['what refuses to become JSON', grumpy, 'expected a result that JSON can hold: not today'],
  ])('%s fails the job for good', async (_what, returned, message) => {
    const outcome = await run(() => returned);
    expect(outcome).toEqual(failure('handler_invalid_result', expect.stringContaining(message), false));
  });

  test('more than is allowed fails the job for good, and says where large results belong', async () => {
    expect(await run(() => 'x'.repeat(998))).toEqual({ kind: 'completed', result: 'x'.repeat(998) });
    expect(await run(() => 'é'.repeat(500))).toEqual(
      failure(
        'result_too_large',
        'expected a result of at most 1000 bytes of JSON, got 1002; save it as a file and return its reference',
        false,
      ),
    );
  });

  test('what is nested deeper than readers can follow fails the job for good', async () => {
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(await run(() => nested(256))).toMatchObject({ kind: 'completed' });
    expect(await run(() => nested(257))).toEqual(
      failure(
        'handler_invalid_result',
        'expected a result of at most 256 levels, got one that is nested deeper',
        false,
      ),
    );
  });
});

describe("a type's output schema", () => {
  const output = Type.Object({ at: Type.String(), rows: Type.Integer({ default: 0 }) });

  test.each<[string, unknown, string]>([
    ['another shape', { at: 1, rows: 1 }, '/at expected string, got 1'],
    ['a missing field', { rows: 1 }, '/at is required, got nothing'],
    ['nothing', undefined, 'the value expected object, got nothing'],
    ['no number', { at: '', rows: Number.NaN }, '/rows expected integer, got null'],
  ])('refuses %s for good and names the field', async (_what, returned, problem) => {
    expect(await run(() => returned, { output })).toEqual(
      failure('handler_invalid_result', `the result does not match the type's output schema: ${problem}`, false),
    );
  });

  test('is held against what is stored, so a date is the text that JSON makes of it', async () => {
    const outcome = await run(() => ({ at: new Date(0), rows: 2 }), { output });
    expect(outcome).toEqual({ kind: 'completed', result: { at: '1970-01-01T00:00:00.000Z', rows: 2 } });
  });

  test("fills in defaults, and leaves the handler's own object alone", async () => {
    const returned = Object.freeze({ at: 'noon' });
    expect(await run(() => returned, { output })).toEqual({ kind: 'completed', result: { at: 'noon', rows: 0 } });
    expect(returned).toEqual({ at: 'noon' });
  });

  test('may come from zod', async () => {
    const rows = z.object({ rows: z.int() });
    expect(await run(() => ({ rows: 1 }), { output: rows })).toMatchObject({ kind: 'completed' });
    expect(await run(() => ({ rows: 0.5 }), { output: rows })).toEqual(
      failure('handler_invalid_result', expect.stringContaining('/rows expected integer, got 0.5'), false),
    );
  });
});

describe('a handler that throws', () => {
  test.each<[string, unknown, string]>([
    ['an error', new Error('disk full'), 'disk full'],
    ['an error of its own class', new (class OutOfInk extends Error {})('no ink'), 'no ink'],
    ['an error of another realm', runInNewContext('new TypeError("foreign")'), 'foreign'],
    ['an error without a message', new RangeError(), 'RangeError'],
    [
      'a failed connection',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      'AggregateError ECONNREFUSED',
    ],
    ['an error with an odd message', Object.assign(new Error(), { message: { no: 1 } }), '[object Object]'],
    ['a text', 'went wrong', 'the handler threw "went wrong" instead of an Error'],
    ['nothing', undefined, 'the handler threw undefined instead of an Error'],
    ['null', null, 'the handler threw null instead of an Error'],
    ['a number', 404, 'the handler threw 404 instead of an Error'],
    ['a BigInt', 1n, 'the handler threw 1 instead of an Error'],
    ['a symbol', Symbol('x'), 'the handler threw Symbol(x) instead of an Error'],
    ['a function', () => 'source', 'the handler threw a function instead of an Error'],
    ['an object', { status: 500 }, 'the handler threw a value of type Object instead of an Error'],
    ['an object without a class', Object.create(null), 'the handler threw a value of type object instead of an Error'],
  ])('%s fails the attempt, which may be repeated', async (_what, thrown, message) => {
    const expected = failure('handler_failed', message, true);
    const throwsAtOnce = () => {
      throw thrown;
    };
    const rejectsLater = async () => {
      await Promise.resolve();
      throw thrown;
    };
    expect(await run(throwsAtOnce)).toEqual(expected);
    expect(await run(() => Promise.reject(thrown))).toEqual(expected);
    expect(await run(rejectsLater)).toEqual(expected);
  });

  test('keeps the error for the log, and only the beginning of an endless message for the world', async () => {
    const cause = new Error('x'.repeat(100_000));
    const outcome = await run(() => Promise.reject(cause));
    expect(outcome).toMatchObject({ cause, error: { message: 'x'.repeat(2000) } });
  });

  test('an UnrecoverableJobError fails the job for good', async () => {
    const cause = new Error('404');
    const outcome = await run(() => Promise.reject(new UnrecoverableJobError('no such photo', { cause })));
    expect(outcome).toEqual(failure('handler_failed', 'no such photo', false));
  });

  test('an UnrecoverableJobError of a second copy of the package counts as well', async () => {
    const other = Object.assign(new Error('no such photo'), { name: 'UnrecoverableJobError' });
    expect(await run(() => Promise.reject(other))).toEqual(failure('handler_failed', 'no such photo', false));
  });
});

describe('when to try again', () => {
  const boom = () => Promise.reject(new Error('boom'));
  const runWith = (backoff: DecideBackoff, handler: () => unknown = boom, lease: Partial<Lease> = {}) =>
    runJob(makeLease(lease), setupFor(defineJob({ type: 'test.work', input: Type.Unknown(), run: handler, backoff })));

  test('is what a RetryAfterError says, of a second copy of the package as well', async () => {
    const other = Object.assign(new Error('busy'), { name: 'RetryAfterError', retryAfterMs: 7 });
    for (const thrown of [new RetryAfterError(7, 'busy'), other]) {
      expect(await run(() => Promise.reject(thrown))).toMatchObject({ retry: true, retryAfterMs: 7 });
    }
    expect(() => new RetryAfterError(-1, 'busy')).toThrow(RangeError);
    expect(() => new RetryAfterError(Number.NaN, 'busy')).toThrow(RangeError);
  });

  test('is what the type decides, who is told how many attempts failed and why', async () => {
    const asked: unknown[] = [];
    const outcome = await runWith((...told) => asked.push(told), boom, { failures: 2 });
    expect(outcome).toMatchObject({ retry: true, retryAfterMs: 1 });
    expect(asked).toEqual([[3, expect.objectContaining({ message: 'boom' })]]);
  });

  test('is never where the type says so', async () => {
    expect(await runWith(() => false)).toMatchObject({ kind: 'failed', retry: false });
  });

  test.each<[string, () => unknown, Partial<Lease>, object]>([
    ['the handler said when', () => Promise.reject(new RetryAfterError(7, 'busy')), {}, { retryAfterMs: 7 }],
    ['the handler said never', () => Promise.reject(new UnrecoverableJobError('no')), {}, { retry: false }],
    ['the submitter said how', boom, { hasBackoff: true }, { retry: true }],
    ['the attempt did not fail', () => 1, {}, { kind: 'completed' }],
  ])('is not asked of the type where %s', async (_why, handler, lease, expected) => {
    const decide = jest.fn(() => 99);
    expect(await runWith(decide, handler, lease)).toMatchObject(expected);
    expect(decide).not.toHaveBeenCalled();
  });

  test.each<[string, DecideBackoff]>([
    [
      'throws',
      () => {
        throw new Error('worse');
      },
    ],
    ['answers no number', () => 'soon' as unknown as number],
    ['answers something below nothing', () => -1],
  ])('is as by default where the function of the type %s', async (_what, decide) => {
    const outcome = await runWith(decide);
    expect(outcome).toMatchObject({ retry: true, error: { message: 'boom' } });
    expect(outcome).not.toHaveProperty('retryAfterMs');
  });
});

describe('a time limit', () => {
  const TIMED_OUT = failure('timeout', 'expected the attempt to end within 20 ms, and it was still running', true);

  test('ends the attempt of a handler that never returns, and aborts its signal with the reason', async () => {
    let seen: AbortSignal | undefined;
    const outcome = await run(
      ({ signal }) => {
        seen = signal;
        return never();
      },
      { lease: { timeoutMs: 20 } },
    );
    expect(outcome).toEqual(TIMED_OUT);
    expect(seen?.aborted).toBe(true);
    expect(seen?.reason).toEqual(new Error('the attempt ran longer than 20 ms'));
  });

  test('is what a handler failed of that stops when it is told to', async () => {
    expect(await run(({ signal }) => aborted(signal), { lease: { timeoutMs: 20 } })).toEqual(TIMED_OUT);
  });

  test("is the type's own where the submitter gave none, and the submitter's where both did", async () => {
    const job = defineJob({ type: 'test.work', timeoutMs: 20, input: Type.Unknown(), run: never });
    expect(await runJob(makeLease(), setupFor(job))).toEqual(TIMED_OUT);
    const patient = defineJob({ type: 'test.work', timeoutMs: 60_000, input: Type.Unknown(), run: never });
    expect(await runJob(makeLease({ timeoutMs: 20 }), setupFor(patient))).toEqual(TIMED_OUT);
  });

  test('does not matter to a handler that is done', async () => {
    expect(await run(() => 'in time', { lease: { timeoutMs: 20 } })).toEqual({ kind: 'completed', result: 'in time' });
  });
});

describe("a lease's signal", () => {
  test('reaches the handler, the reason as an Error that it may throw on', async () => {
    const lease = new AbortController();
    const outcome = await run(
      ({ signal }) => {
        lease.abort('lease lost');
        expect(signal.reason).toEqual(new Error('lease lost'));
        return aborted(signal);
      },
      { lease: { signal: lease.signal } },
    );
    expect(outcome).toEqual(failure('handler_failed', 'lease lost', true));
  });

  test('that was aborted before the start is seen at once', async () => {
    const reason = new Error('the worker stops');
    await run(({ signal }) => expect(signal.reason).toBe(reason), { lease: { signal: AbortSignal.abort(reason) } });
    expect.assertions(1);
  });

  test('does not hold on to a handler that has ended', async () => {
    const lease = new AbortController();
    let seen: AbortSignal | undefined;
    await run(
      ({ signal }) => {
        seen = signal;
      },
      { lease: { signal: lease.signal } },
    );
    lease.abort('too late');
    expect(seen?.aborted).toBe(false);
  });
});

/** Rejects with the reason once the signal aborts, as fetch and the like do. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

describe('an input', () => {
  const input = Type.Object({
    steps: Type.Integer({ default: 5 }),
    sizes: Type.Optional(Type.Array(Type.Object({ fit: Type.String({ default: 'cover' }) }))),
  });

  test('gets its defaults filled in at every depth', async () => {
    const outcome = await run(({ input: got }) => got, { input, lease: { input: { sizes: [{}, { fit: 'fill' }] } } });
    expect(outcome).toEqual({
      kind: 'completed',
      result: { steps: 5, sizes: [{ fit: 'cover' }, { fit: 'fill' }] },
    });
  });

  test('that does not fit fails the job for good, before the handler sees it', async () => {
    const handler = jest.fn();
    const outcome = await run(handler, { input, lease: { input: { steps: 'x', sizes: [{ fit: 1 }] } } });
    expect(outcome).toEqual(
      failure('invalid_input', '/steps expected integer, got "x"; /sizes/0/fit expected string, got 1', false),
    );
    expect(handler).not.toHaveBeenCalled();
  });

  test('that is missing says so', async () => {
    const outcome = await run(() => 1, { input, lease: { input: undefined } });
    expect(outcome).toEqual(failure('invalid_input', 'the value expected object, got nothing', false));
  });
});

describe('an input by zod', () => {
  const input = z.object({
    steps: z.int().default(5),
    when: z.iso
      .datetime()
      .transform((text) => new Date(text))
      .optional(),
    tags: z.array(z.string().trim()).default([]),
  });

  test('gets its defaults and transforms applied', async () => {
    const lease = { input: { when: '1970-01-01T00:00:01Z', tags: [' a '] } };
    const outcome = await run(({ input: got }) => (got as { when: Date }).when.getTime(), { input, lease });
    expect(outcome).toEqual({ kind: 'completed', result: 1000 });
    expect(await run(({ input: got }) => got, { input, lease: { input: {} } })).toMatchObject({
      result: { steps: 5, tags: [] },
    });
  });

  test('that does not fit fails the job for good, and names the field', async () => {
    const outcome = await run(() => 1, { input, lease: { input: { tags: ['a', 2], steps: 1.5 } } });
    expect(outcome).toEqual(
      failure(
        'invalid_input',
        '/steps: Invalid input: expected int, received number; /tags/1: Invalid input: expected string, received number',
        false,
      ),
    );
  });

  test('whose transform throws fails the job for good', async () => {
    const picky = z.string().transform((text) => new URL(text).host);
    const outcome = await run(() => 1, { input: picky, lease: { input: 'no url' } });
    expect(outcome).toEqual(failure('invalid_input', 'the schema threw TypeError: Invalid URL', false));
  });
});

test('a job of a type that this worker lacks fails in words, and may find another worker', async () => {
  const outcome = await runJob(makeLease({ type: 'test.other' }), setupFor());
  expect(outcome).toEqual(failure('unknown_type', 'expected a type that this worker has, got "test.other"', true));
});

test('what a handler tells on its way arrives, fractions between 0 and 1', async () => {
  const lease = makeLease({ attempt: 2 });
  const job = defineJob({
    type: 'test.work',
    input: Type.Unknown(),
    run({ id, type, attempt, progress, log, output }) {
      for (const fraction of [0.5, -1, 7, 1 / 0, 0 / 0]) progress(fraction);
      progress(1, 'done');
      log('a line');
      output({ id, type, attempt });
    },
  });
  await runJob(lease, setupFor(job));
  expect(lease.told).toEqual({
    progress: [...[0.5, 0, 1, 1, 0].map((fraction) => ({ fraction })), { fraction: 1, message: 'done' }],
    log: ['a line'],
    output: [{ id: lease.id, type: 'test.work', attempt: 2 }],
  });
});

test('a report that is refused fails the attempt of a handler that does not catch it', async () => {
  const lease = makeLease();
  const reports = {
    ...lease.reports,
    output: () => {
      throw new TypeError('expected a chunk that JSON can hold');
    },
  };
  const outcome = await run(({ output }) => output(1n), { lease: { reports } });
  expect(outcome).toEqual(failure('handler_failed', 'expected a chunk that JSON can hold', true));
});
