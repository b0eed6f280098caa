import { CancelledError } from '@spillway/contracts';
import { openFileStore } from '@spillway/files';
import type { Lease } from '@spillway/queue/consumer';
import { createProducer } from '@spillway/queue/producer';
import { createReader } from '@spillway/queue/reader';
import { createRegistry } from '@spillway/queue/registry';
import { createLogger, readConfig } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { startWorker } from '../src/host.ts';
import { type DefinedJob, defineJob, type JobGroup, RetryAfterError } from '../src/index.ts';
import { runJob } from '../src/run-job.ts';
import { makeLease, setupFor } from './lease.ts';

/** Longer than any test: a group that starts in time was not started by its timer. */
const LONG_MS = 60_000;
const Numbered = Type.Object({ n: Type.Integer() });
type Numbered = { n: number };
type Ends = readonly unknown[];

/** A type whose groups are kept in `groups`. */
function gathering(runMany: (group: JobGroup<Numbered>) => Promise<Ends> | Ends, size = 3, waitMs = LONG_MS) {
  const groups: JobGroup<Numbered>[] = [];
  const job = defineJob({
    type: 'test.work',
    queue: 'groups',
    input: Numbered,
    batch: { size, waitMs },
    runMany(group) {
      groups.push(group);
      return runMany(group);
    },
  });
  const setup = setupFor(job);
  const run = (n: unknown, lease: Partial<Lease> = {}) =>
    runJob(makeLease({ id: `groups.${n}`, input: { n }, ...lease }), setup);
  const inputsOf = () => groups.map(({ jobs }) => jobs.map(({ input }) => input.n));
  return { job: job as unknown as DefinedJob, gather: setup.jobs.get('test.work')!.gather!, groups, run, inputsOf };
}

const double = ({ jobs }: JobGroup<Numbered>) => jobs.map(({ input }) => input.n * 2);
/** Jobs come to their group in the turn in which they start. */
const atTheirGroup = () => new Promise((resolve) => setImmediate(resolve));

const completed = (result: unknown) => ({ kind: 'completed', result });
const failure = (message: string, more = {}) =>
  expect.objectContaining({ kind: 'failed', error: { code: 'handler_failed', message }, ...more });

test('jobs run together once there are as many as are asked for, each with its own result', async () => {
  const { run, inputsOf } = gathering(double);
  expect(await Promise.all([1, 2, 3, 4, 5, 6].map((n) => run(n)))).toEqual([2, 4, 6, 8, 10, 12].map(completed));
  expect(inputsOf()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test('fewer run once the first has waited long enough', async () => {
  const { run, inputsOf } = gathering(double, 3, 1);
  expect(await Promise.all([run(1), run(2)])).toEqual([2, 4].map(completed));
  expect(inputsOf()).toEqual([[1, 2]]);
});

test('an Error in the place of a result fails that job alone, as if it had been thrown', async () => {
  const { run } = gathering(() => [new RetryAfterError(500, 'too fast'), 'fine', new Error('no')]);
  expect(await Promise.all([run(1), run(2), run(3)])).toEqual([
    failure('too fast', { retry: true, retryAfterMs: 500 }),
    completed('fine'),
    failure('no', { retry: true }),
  ]);
});

test.each<[string, () => Promise<Ends> | Ends]>([
  [
    'at once',
    () => {
      throw new Error('all of them');
    },
  ],
  ['later', async () => Promise.reject(new Error('all of them'))],
])('a handler that throws %s fails all jobs of its group and no others', async (_when, throws) => {
  let times = 0;
  const { run } = gathering((group) => (++times === 1 ? throws() : double(group)));
  const ends = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => run(n)));
  expect(ends).toEqual([...Array(3).fill(failure('all of them')), ...[8, 10, 12].map(completed)]);
});

test.each<[string, unknown, string]>([
  ['too few', [1], 'got an array of 1'],
  ['nothing', undefined, 'got undefined'],
])('a handler that returns %s fails all jobs for good, and it is said why', async (_what, returned, got) => {
  const { run } = gathering(() => returned as Ends);
  const message = expect.stringContaining(`expected runMany to return an array of 3`);
  for (const end of await Promise.all([run(1), run(2), run(3)])) {
    expect(end).toMatchObject({ kind: 'failed', error: { message }, retry: false });
    expect(end).toMatchObject({ error: { message: expect.stringContaining(got) } });
  }
});

test('an input that does not fit fails its job, and the group waits for another', async () => {
  const { run, inputsOf } = gathering(double);
  const ends = await Promise.all([run(1), run('two'), run(3), run(4)]);
  expect(ends[1]).toMatchObject({ error: { code: 'invalid_input' } });
  expect(inputsOf()).toEqual([[1, 3, 4]]);
});

test('each job reports for itself', async () => {
  const { run } = gathering(({ jobs }) => {
    for (const { input, progress, log } of jobs) {
      progress(input.n / 10);
      log(`line of ${input.n}`);
    }
    return jobs.map(({ id, attempt }) => `${id} ${attempt}`);
  }, 2);
  const told = [makeLease().told, makeLease().told];
  const leases = told.map((_, index) => makeLease({ id: `groups.${index}`, input: { n: index }, attempt: index + 1 }));
  const ends = await Promise.all(leases.map((lease) => run(0, lease)));
  expect(ends).toEqual(['groups.0 1', 'groups.1 2'].map(completed));
  expect(leases.map(({ told: { log } }) => log)).toEqual([['line of 0'], ['line of 1']]);
  expect(leases.map(({ told: { progress } }) => progress)).toEqual([[{ fraction: 0 }], [{ fraction: 0.1 }]]);
});

test('a job that is cancelled while it waits leaves, and the others go without it', async () => {
  const { run, inputsOf } = gathering(double);
  const controller = new AbortController();
  const cancelled = run(1, { signal: controller.signal });
  const other = run(2);
  await atTheirGroup();
  controller.abort(new CancelledError({ by: 'me' } as never));
  expect(await cancelled).toMatchObject({ kind: 'failed' });
  expect(await Promise.all([other, run(3), run(4)])).toEqual([4, 6, 8].map(completed));
  expect(inputsOf()).toEqual([[2, 3, 4]]);
});

test('a job whose time is up while it waits ends so, and one of a group that runs does not hold up the others', async () => {
  const waiting = gathering(double);
  expect(await waiting.run(1, { timeoutMs: 1 })).toMatchObject({ error: { code: 'timeout' } });
  let open: (ends: Ends) => void = () => undefined;
  const running = gathering(
    () =>
      new Promise<Ends>((resolve) => {
        open = resolve;
      }),
    2,
  );
  const [late, other] = [running.run(1, { timeoutMs: 1 }), running.run(2)];
  expect(await late).toMatchObject({ error: { code: 'timeout' } });
  open(['unheard', 'heard']);
  expect(await other).toEqual(completed('heard'));
});

test('the signal of a group aborts once those of all its jobs have', async () => {
  const { run, groups } = gathering(
    ({ jobs, signal }) =>
      new Promise<Ends>((resolve) => signal.addEventListener('abort', () => resolve(jobs.map(() => 'stopped')))),
    2,
  );
  const [one, other] = [new AbortController(), new AbortController()];
  const ends = [run(1, { signal: one.signal }), run(2, { signal: other.signal })];
  await until('the group', () => groups.length === 1);
  one.abort(new Error('lost'));
  expect(groups[0]!.signal.aborted).toBe(false);
  other.abort(new Error('stop'));
  expect(groups[0]!.signal.reason).toMatchObject({ message: 'stop' });
  expect(await Promise.all(ends)).toEqual(Array(2).fill(completed('stopped')));
});

test('a stop runs what waits, and each job that comes after it by itself', async () => {
  const { run, gather, inputsOf } = gathering(double);
  const waiting = [run(1), run(2)];
  await atTheirGroup();
  gather.stop();
  expect(await Promise.all(waiting)).toEqual([2, 4].map(completed));
  expect(await run(3)).toEqual(completed(6));
  expect(inputsOf()).toEqual([[1, 2], [3]]);
});

test.each<[string, object, string]>([
  ['a thread', { isolate: 'thread' }, 'expected no isolate beside batch'],
  ['a run', { run: () => null }, 'expected no run beside batch'],
  ['no runMany', { runMany: undefined }, 'expected runMany beside batch to be a function'],
  ['no batch', { batch: undefined }, 'expected batch beside runMany'],
  ['a size of 0', { batch: { size: 0, waitMs: 1 } }, 'expected batch.size to be a whole number from 1 to 1000, got 0'],
  ['no wait', { batch: { size: 2 } }, 'expected batch.waitMs to be a whole number from 0 to 60000, got undefined'],
  ['too little room', { concurrency: 2 }, 'expected concurrency to be batch.size (3) or more, got 2'],
])('batch with %s is refused', (_what, over, message) => {
  const good = { type: 'test.work', input: Numbered, batch: { size: 3, waitMs: 1 }, runMany: double };
  expect(() => defineJob({ ...good, ...over } as never)).toThrow(new TypeError(`test.work: ${message}`).message);
});

/** A worker on a real queue. */
async function startOver(sandbox: Sandbox, job: DefinedJob, env: Record<string, string> = {}) {
  const { redisUrl: REDIS_URL, prefix, folder } = sandbox;
  const redis = await sandbox.connect();
  const producer = createProducer({ redis, prefix, onError: () => undefined });
  sandbox.defer(() => producer.close());
  const config = readConfig({ REDIS_URL, SPILLWAY_PREFIX: prefix, ...env });
  const logger = createLogger('test', { logLevel: 'silent', logFormat: 'json' });
  const worker = await startWorker({ jobs: [job], files: openFileStore({ location: folder }), config, logger });
  sandbox.defer(() => worker.stop());
  const registry = createRegistry({ redis, prefix });
  const [type] = await registry.types();
  const submit = async (n: number) => (await producer.submit({ type: type!, input: { n } })).id;
  return { worker, registry, producer, reader: createReader({ redis, prefix }), submit };
}

test('a worker gathers jobs of a real queue, more at once than WORKER_CONCURRENCY where the type needs them', async () => {
  await using sandbox = await openSandbox();
  const { job, inputsOf } = gathering(
    ({ jobs }) => jobs.map(({ input }) => (input.n === 7 ? new Error('unlucky') : input.n)),
    20,
  );
  const { registry, reader, submit } = await startOver(sandbox, job, { WORKER_CONCURRENCY: '5' });
  expect((await registry.workers())[0]?.concurrency).toEqual({ groups: 20 });
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => submit(n)));
  const ended = await until('all to end', async () => {
    const jobs = await Promise.all(ids.map((id) => reader.job(id)));
    return jobs.every(({ finishedAt }) => finishedAt) ? jobs : undefined;
  });
  expect(inputsOf().map((inputs) => inputs.length)).toEqual([20]);
  expect(ended.map(({ state }) => state)).toEqual(
    Array.from({ length: 20 }, (_, n) => (n === 7 ? 'failed' : 'completed')),
  );
  expect(ended[3]).toMatchObject({ result: 3 });
});

test('no group waits for more jobs than its worker may run', async () => {
  await using sandbox = await openSandbox();
  const { job, inputsOf } = gathering(double, 20);
  const { reader, submit } = await startOver(sandbox, job, { WORKER_QUEUES: 'groups:2' });
  const ids = await Promise.all([submit(1), submit(2)]);
  await until('both to end', async () =>
    (await Promise.all(ids.map((id) => reader.job(id)))).every((one) => one.finishedAt),
  );
  expect(inputsOf()).toHaveLength(1);
});

test('a worker that stops runs a half-full group, and hands back what does not end', async () => {
  await using sandbox = await openSandbox();
  const stubborn = ({ jobs, signal }: JobGroup<Numbered>) =>
    new Promise<Ends>((resolve) => signal.addEventListener('abort', () => resolve(jobs.map(() => 'too late'))));
  for (const [stopMs, handler, state] of [
    ['10000', double, 'completed'],
    ['0', stubborn, 'waiting'],
  ] as const) {
    const { job } = gathering(handler);
    const { worker, reader, submit } = await startOver(sandbox, job, { WORKER_STOP_MS: stopMs });
    const id = await submit(1);
    await until('the job to be taken', async () => (await reader.job(id)).state === 'active');
    await worker.stop();
    expect(await reader.job(id)).toMatchObject({ state });
  }
});

test('a job that waits in a group is cancelled', async () => {
  await using sandbox = await openSandbox();
  const { job, groups } = gathering(double);
  const { producer, reader, submit } = await startOver(sandbox, job, { WORKER_STOP_MS: '0' });
  const id = await submit(1);
  await until('the job to be taken', async () => (await reader.job(id)).state === 'active');
  await producer.cancel(id, 'me');
  await until('the end', async () => (await reader.job(id)).state === 'cancelled');
  expect(groups).toEqual([]);
});
