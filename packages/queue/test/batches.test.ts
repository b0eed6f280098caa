import type { JobType } from '@spillway/contracts';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import type { Lease, Outcome } from '../src/consumer/index.ts';
import { settle } from '../src/engine/batches.ts';
import { batchKeys, queueKeys } from '../src/engine/keys.ts';
import type { OnComplete } from '../src/producer/index.ts';
import { COMPLETED, consume, openQueue, TYPE } from './fixture.ts';

const FAILED: Outcome = { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: false };
const OTHER: JobType = { type: 'test.other', queue: 'other', input: {}, defaults: {} };
const DONE: JobType = { type: 'test.done', queue: 'done', input: {}, defaults: {} };

interface Start {
  jobs?: number;
  types?: JobType[];
  onComplete?: OnComplete;
  inputOf?: (index: number) => unknown;
  options?: object;
}

/** A sealed batch, a job of each type in turn. */
async function startBatch(sandbox: Sandbox, start: Start = {}) {
  const { jobs = 3, types = [TYPE], onComplete, inputOf = () => ({}), options = {} } = start;
  const queue = await openQueue(sandbox);
  const { batches } = queue.producer;
  const writer = batches.open(queue.producer.newBatch(), { tenant: undefined, onComplete });
  await writer.reach(types.map((type) => type.queue));
  const stored = await Promise.all(
    Array.from({ length: jobs }, (_, index) => {
      const type = types[index % types.length] as JobType;
      return queue.producer.submit({ type, input: inputOf(index), options, batch: writer.id });
    }),
  );
  await writer.seal();
  return { ...queue, batches, batch: writer.id, ids: stored.map(({ id }) => id) };
}

const fails = async ({ input }: { input: unknown }): Promise<Outcome> =>
  (input as { fail?: boolean }).fail ? FAILED : COMPLETED;

test('every member of a batch is counted once, in whichever queue it ends', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch } = await startBatch(sandbox, {
    jobs: 20,
    types: [TYPE, OTHER],
    inputOf: (index) => ({ fail: index < 3 }),
  });
  expect(await batches.get(batch)).toMatchObject({ total: 20, open: 20, completed: 0, sealed: true });
  await consume(sandbox, fails);
  await consume(sandbox, fails, { queue: OTHER.queue });
  const ended = await until('the end of the batch', async () => {
    const found = await batches.get(batch);
    return found.open === 0 ? found : undefined;
  });
  expect(ended).toMatchObject({ total: 20, completed: 17, failed: 3, cancelled: 0, removed: 0 });
  expect(ended.finishedAt).toEqual(expect.any(String));
});

test('ends that a dead worker did not count are counted by a read', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, ids, redis, prefix } = await startBatch(sandbox);
  const keys = queueKeys(prefix, TYPE.queue);
  // As the engine's end leaves a job: filed, and not counted.
  await redis.lrem(keys.wait, 0, ids[0] ?? '');
  await redis.zadd(keys.completed, Date.now(), ids[0] ?? '');
  expect(await redis.scard(keys.batch(batch).open)).toBe(3);
  expect(await batches.get(batch)).toMatchObject({ total: 3, open: 2, completed: 1 });
  expect(await settle({ redis, prefix }, TYPE.queue, batch, ids)).toBe(2);
  expect(await batches.get(batch)).toMatchObject({ total: 3, open: 2, completed: 1 });
});

test('the sweep of any worker counts what a dead one did not, and seals what a dead writer left', async () => {
  await using sandbox = await openSandbox();
  const { producer, redis, prefix, reader } = await openQueue(sandbox);
  const writer = producer.batches.open(producer.newBatch(), { tenant: undefined, onComplete: { type: DONE } });
  await writer.reach([TYPE.queue]);
  const { id } = await producer.submit({ type: TYPE, input: {}, batch: writer.id });
  writer.abandon();
  await redis.del(batchKeys(prefix, writer.id).writer);
  const keys = queueKeys(prefix, TYPE.queue);
  await redis.lrem(keys.wait, 0, id);
  await redis.zadd(keys.completed, Date.now(), id);
  await consume(sandbox, async () => COMPLETED, { batchSweepMs: 20 });
  const swept = await until('a swept batch', async () => {
    const batch = await reader.batch(writer.id);
    return batch?.onComplete?.job ? batch : undefined;
  });
  expect(swept).toMatchObject({ total: 1, completed: 1, open: 0, sealed: true });
  await until('an empty list', async () => (await redis.scard(keys.batches)) === 0);
});

test('a batch that is still written is not concluded', async () => {
  await using sandbox = await openSandbox();
  const { producer } = await openQueue(sandbox);
  const writer = producer.batches.open(producer.newBatch(), { tenant: undefined, onComplete: { type: DONE } });
  const done: string[] = [];
  await consume(sandbox, async () => COMPLETED, { batchSweepMs: 20 });
  await consume(
    sandbox,
    async ({ id }) => {
      done.push(id);
      return COMPLETED;
    },
    { queue: DONE.queue },
  );
  await writer.reach([TYPE.queue]);
  for (const expected of [1, 2]) {
    await producer.submit({ type: TYPE, input: {}, batch: writer.id });
    await until('the end of the job', async () => (await producer.batches.get(writer.id)).completed === expected);
  }
  expect(await producer.batches.get(writer.id)).toMatchObject({ open: 0, sealed: false });
  expect(done).toEqual([]);
  await writer.seal();
  await until('the completion', () => done.length === 1);
});

test('what follows a batch is submitted once, whoever concludes it and however often', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, reader, producer } = await startBatch(sandbox, {
    jobs: 30,
    types: [TYPE, OTHER],
    onComplete: { type: DONE },
    inputOf: (index) => ({ fail: index === 4 }),
  });
  const inputs: unknown[] = [];
  const failOnce = new Set<string>();
  const run = async ({ id, input }: { id: string; input: unknown }) => {
    if (!(input as { fail?: boolean }).fail || failOnce.has(id)) return COMPLETED;
    failOnce.add(id);
    return FAILED;
  };
  await consume(sandbox, run, { batchSweepMs: 20 });
  await consume(sandbox, run, { queue: OTHER.queue, batchSweepMs: 20 });
  await consume(
    sandbox,
    async ({ input }) => {
      inputs.push(input);
      return COMPLETED;
    },
    { queue: DONE.queue },
  );
  await until('what follows', () => inputs.length > 0);
  const counts = { total: 30, open: 0, completed: 29, failed: 1, cancelled: 0, removed: 0 };
  expect(inputs).toEqual([{ batch, counts }]);
  const { onComplete } = await batches.get(batch);
  await until('the end of it', async () => (await reader.job(onComplete?.job ?? '')).state === 'completed');
  await producer.remove(onComplete?.job ?? '');

  // A batch that was retried ends again; what follows it has been.
  expect(await batches.retryFailed(batch, {})).toEqual({ retried: 1, more: false });
  await until('the second end', async () => (await batches.get(batch)).completed === 30);
  await Promise.all([batches.get(batch), batches.get(batch)]);
  expect(inputs).toHaveLength(1);
});

test('a cancel ends what waits in the same step, tells what runs, and says how many', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, reader } = await startBatch(sandbox, { jobs: 250 });
  let running = 0;
  await consume(
    sandbox,
    ({ signal }) => {
      running += 1;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(FAILED)));
    },
    { concurrency: 2 },
  );
  await until('two jobs that run', () => running === 2);
  expect(await batches.cancel(batch, 'ann')).toEqual({ cancelled: 248, stopping: 2 });
  expect(await reader.batch(batch)).toMatchObject({ cancelled: 248, open: 2 });
  await until('the end of the others', async () => (await batches.get(batch)).cancelled === 250);
  expect(await batches.cancel(batch, 'ann')).toEqual({ cancelled: 0, stopping: 0 });
});

test('its active members are those that a worker runs at the moment, and other jobs are not among them', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, reader, submit } = await startBatch(sandbox, { jobs: 5, types: [TYPE, OTHER] });
  await submit();
  const running = new Set<string>();
  const run = ({ id, signal }: Lease) => {
    running.add(id);
    return new Promise<Outcome>((resolve) => signal.addEventListener('abort', () => resolve(FAILED)));
  };
  expect(await batches.get(batch)).toMatchObject({ open: 5, active: 0 });
  const worker = await consume(sandbox, run);
  const other = await consume(sandbox, run, { queue: OTHER.queue, concurrency: 1 });
  await until('five jobs that run', () => running.size === 5);
  expect(await reader.batch(batch)).toMatchObject({ total: 5, open: 5, active: 4 });
  await Promise.all([worker.stop(0), other.stop(0)]);
  expect(await reader.batch(batch)).toMatchObject({ open: 5, active: 0 });
  await consume(sandbox, async () => COMPLETED);
  await consume(sandbox, async () => COMPLETED, { queue: OTHER.queue });
  await until('the end of the batch', async () => (await batches.get(batch)).completed === 5);
  expect(await batches.get(batch)).toMatchObject({ open: 0, active: 0 });
});

test('a retry of a member takes its end back, one by one and in parts', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, producer, reader, ids } = await startBatch(sandbox, {
    jobs: 25,
    types: [TYPE, OTHER],
    inputOf: () => ({ fail: true }),
  });
  const first = await consume(sandbox, fails);
  const second = await consume(sandbox, fails, { queue: OTHER.queue });
  await until('25 failures', async () => (await batches.get(batch)).failed === 25);
  await Promise.all([first.stop(0), second.stop(0)]);
  await producer.retry(ids[0] ?? '');
  expect(await reader.batch(batch)).toMatchObject({ failed: 24, open: 1 });
  const parts = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const reply = await batches.retryFailed(batch, { limit: 10, ...(cursor && { cursor }) });
    parts.push(reply.retried);
    ({ cursor, more } = reply);
  }
  expect(parts.reduce((sum, retried) => sum + retried)).toBe(24);
  expect(await reader.batch(batch)).toMatchObject({ total: 25, failed: 0, open: 25 });
});

test('members that are removed stay counted as they ended, and as removed where they had not', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, producer, ids } = await startBatch(sandbox, { inputOf: (index) => ({ fail: index === 0 }) });
  await producer.remove(ids[2] ?? '');
  expect(await batches.get(batch)).toMatchObject({ total: 3, open: 2, removed: 1 });
  await consume(sandbox, fails);
  await until('the others’ ends', async () => (await batches.get(batch)).open === 0);
  await Promise.all([producer.remove(ids[0] ?? ''), producer.remove(ids[1] ?? '')]);
  expect(await batches.get(batch)).toMatchObject({ total: 3, completed: 1, failed: 1, removed: 1, open: 0 });
});

test('failures are listed in pages, newest end first, and nothing else is', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, reader } = await startBatch(sandbox, {
    jobs: 30,
    types: [TYPE, OTHER],
    inputOf: (index) => ({ fail: index % 3 === 0 }),
  });
  await consume(sandbox, fails);
  await consume(sandbox, fails, { queue: OTHER.queue });
  await until('the end of the batch', async () => (await batches.get(batch)).open === 0);
  const seen = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await reader.failures(batch, { limit: 4, cursor });
    seen.push(...page.jobs);
    cursor = page.next;
    more = cursor !== undefined;
  }
  expect(new Set(seen.map(({ id }) => id)).size).toBe(10);
  const ends = seen.map(({ finishedAt = '' }) => finishedAt);
  expect(ends).toEqual([...ends].sort().reverse());
  for (const job of seen) expect(job).toMatchObject({ state: 'failed', error: { code: 'handler_failed' } });
});

test('results come for every job, a few at a time', async () => {
  await using sandbox = await openSandbox();
  const { batches, batch, reader, ids } = await startBatch(sandbox, {
    jobs: 120,
    inputOf: (index) => ({ fail: index === 7, n: index }),
  });
  await consume(sandbox, async ({ input }) =>
    (input as { fail: boolean }).fail ? FAILED : { kind: 'completed', result: (input as { n: number }).n },
  );
  await until('the end of the batch', async () => (await batches.get(batch)).open === 0);
  const results = new Map();
  for await (const some of reader.results(batch)) {
    expect(some.length).toBeLessThanOrEqual(25);
    for (const result of some) results.set(result.id, result);
  }
  expect(results.size).toBe(120);
  expect(results.get(ids[8])).toEqual({ id: ids[8], state: 'completed', result: 8 });
  expect(results.get(ids[7])).toMatchObject({ state: 'failed', error: { code: 'handler_failed' } });
});

test('the jobs of a flow are counted as a batch', async () => {
  await using sandbox = await openSandbox();
  const { producer } = await openQueue(sandbox);
  const batch = producer.newBatch();
  const leaf = { type: TYPE, input: {}, children: [] };
  await producer.submitFlow({ ...leaf, type: OTHER, children: [leaf, leaf] }, { batch });
  expect(await producer.batches.get(batch)).toMatchObject({ total: 3, open: 3, sealed: true });
  await consume(sandbox, async () => COMPLETED);
  await consume(sandbox, async () => COMPLETED, { queue: OTHER.queue });
  await until('the end of the flow', async () => (await producer.batches.get(batch)).completed === 3);
});

test('a batch that nobody made is not found', async () => {
  await using sandbox = await openSandbox();
  const { producer, reader } = await openQueue(sandbox);
  const id = producer.newBatch();
  for (const call of [producer.batches.get(id), producer.batches.cancel(id, 'ann'), reader.failures(id, { limit: 1 })])
    await expect(call).rejects.toMatchObject({ code: 'batch_not_found' });
  expect(await reader.batch(id)).toBeUndefined();
});
