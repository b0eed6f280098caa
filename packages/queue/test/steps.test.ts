import { openSandbox, until } from '@spillway/testkit';
import type { Lease, Outcome } from '../src/consumer/index.ts';
import { queueKeys } from '../src/engine/keys.ts';
import { STEP_BYTES_MAX, STEPS_MAX } from '../src/engine/limits.ts';
import { COMPLETED, consume, gate, openQueue } from './fixture.ts';

const FAILED: Outcome = { kind: 'failed', error: { code: 'handler_failed', message: 'not today' }, retry: true };
const AT_ONCE = { attempts: 2, backoff: { type: 'fixed', delayMs: 0 } };

/** A queue whose jobs run `run`, which is told the attempt's number. */
async function openSteps(run: (lease: Lease) => Promise<Outcome>) {
  const sandbox = await openSandbox();
  const queue = await openQueue(sandbox);
  await consume(sandbox, run);
  const keys = queueKeys(queue.prefix, 'work');
  const ended = (id: string, state: string) =>
    until(`the job to be ${state}`, async () => (await queue.reader.job(id)).state === state);
  return { ...queue, keys, ended, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
}

test('what a step gave is recalled by the next attempt, and is gone once the job has completed', async () => {
  const recalled: (string | undefined)[] = [];
  const hold = gate();
  await using queue = await openSteps(async ({ steps, attempt }) => {
    recalled.push(await steps.recall('a'), await steps.recall('b'));
    if (attempt > 1) {
      await hold.opened;
      return COMPLETED;
    }
    await steps.remember('a', '{"n":1}');
    recalled.push(await steps.recall('a'));
    return FAILED;
  });
  const { id } = await queue.submit({}, AT_ONCE);
  await until('a second attempt', () => recalled.length === 5);
  expect(recalled).toEqual([undefined, undefined, '{"n":1}', '{"n":1}', undefined]);
  expect(await queue.redis.ttl(queue.keys.steps(id))).toBeGreaterThan(7 * 86_400);
  hold.open();
  await until('the steps to go', async () => (await queue.redis.exists(queue.keys.steps(id))) === 0);
  expect((await queue.reader.job(id)).state).toBe('completed');
});

test('a failed job keeps its steps for a retry by a person, and loses them when it is removed', async () => {
  const recalled: (string | undefined)[] = [];
  await using queue = await openSteps(async ({ steps }) => {
    recalled.push(await steps.recall('a'));
    await steps.remember('a', '1');
    return FAILED;
  });
  const { id } = await queue.submit();
  await queue.ended(id, 'failed');
  expect(await queue.producer.retry(id)).toEqual({ done: true });
  await until('a second start', () => recalled.length === 2);
  await queue.ended(id, 'failed');
  expect(recalled).toEqual([undefined, '1']);
  await queue.producer.remove(id);
  expect(await queue.redis.keys(`${queue.keys.job(id)}*`)).toEqual([]);
});

test.each([
  ['another worker holds the job', (job: string) => ['set', `${job}:lock`, 'other']],
  ['nobody holds the job', (job: string) => ['del', `${job}:lock`]],
  ['the same token holds a later attempt', (job: string) => ['hincrby', job, 'ats', '1']],
])('a step is not remembered where %s, and its attempt is aborted', async (_case, change) => {
  const told = gate<{ name: string; aborted: boolean; stored: number }>();
  await using queue = await openSteps(async ({ id, steps, signal }) => {
    await steps.remember('before', '1');
    const [command = '', ...args] = change(queue.keys.job(id));
    await queue.redis.call(command, ...args);
    const { name } = await steps.remember('after', '2').then(
      () => ({ name: 'none' }),
      (error: Error) => error,
    );
    told.open({ name, aborted: signal.aborted, stored: await queue.redis.hlen(queue.keys.steps(id)) });
    return COMPLETED;
  });
  await queue.submit();
  expect(await told.opened).toEqual({ name: 'LeaseLostError', aborted: true, stored: 1 });
});

test('a worker that lost the job before its first step does not take it for one that has just begun', async () => {
  const told = gate<{ name: string; aborted: boolean }>();
  await using queue = await openSteps(async ({ id, steps, signal }) => {
    // As after an end elsewhere: another worker took the job, completed it, and its steps are gone.
    await queue.redis.del(queue.keys.lock(id));
    const { name } = await steps.recall('first').then(
      () => ({ name: 'none' }),
      (error: Error) => error,
    );
    told.open({ name, aborted: signal.aborted });
    return COMPLETED;
  });
  await queue.submit();
  expect(await told.opened).toEqual({ name: 'LeaseLostError', aborted: true });
});

test('steps are bounded in number and size, and a job at its bound may still recall and repeat what it has', async () => {
  const refused = gate<string[]>();
  await using queue = await openSteps(async ({ steps }) => {
    const refusals: string[] = [];
    const attempt = (work: Promise<unknown>) => work.catch((error: Error) => refusals.push(`${error}`));
    await steps.remember('largest', 'x'.repeat(STEP_BYTES_MAX));
    await attempt(steps.remember('larger', 'é'.repeat(STEP_BYTES_MAX / 2 + 1)));
    await attempt(steps.remember('n'.repeat(101), '1'));
    for (let n = 1; n < STEPS_MAX; n += 1) await steps.remember(`step ${n}`, '1');
    await attempt(steps.remember('one more', '1'));
    await attempt(steps.recall('one more'));
    await steps.remember('step 1', '2');
    refusals.push(String(await steps.recall('step 1')));
    refused.open(refusals);
    return COMPLETED;
  });
  await queue.submit();
  expect(await refused.opened).toEqual([
    expect.stringMatching(/^RangeError: step "larger": expected a value of at most 65536 bytes of JSON, got 65538/),
    'RangeError: step: expected a name of at most 100 characters, got 101',
    'RangeError: step: expected at most 100 steps a job, got a further one, "one more"',
    'RangeError: step: expected at most 100 steps a job, got a further one, "one more"',
    '2',
  ]);
});
