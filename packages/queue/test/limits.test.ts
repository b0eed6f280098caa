import { openSandbox, until } from '@spillway/testkit';
import { queueKeys } from '../src/engine/keys.ts';
import { STACK_MAX, TYPE_MAX } from '../src/engine/limits.ts';
import { createRegistry } from '../src/registry/index.ts';
import { consume, openQueue, TYPE } from './fixture.ts';

test('of many failed attempts the last stack is kept, and of that the beginning', async () => {
  await using sandbox = await openSandbox();
  const { submit, redis, prefix, reader } = await openQueue(sandbox);
  const attempts = 3;
  await consume(sandbox, async ({ attempt }) => {
    const cause = Object.assign(new Error('no'), { stack: `attempt ${attempt} ${'x'.repeat(3 * STACK_MAX)}` });
    return { kind: 'failed', error: { code: 'handler_failed', message: 'no' }, retry: true, cause };
  });
  const { id } = await submit({}, { attempts, backoff: { type: 'fixed', delayMs: 0 } });
  await until('the job failed', async () => (await reader.job(id)).state === 'failed');
  const stacks = JSON.parse((await redis.hget(queueKeys(prefix, 'work').job(id), 'stacktrace')) ?? '[]') as string[];
  expect(stacks).toEqual([expect.stringMatching(new RegExp(`^attempt ${attempts} `))]);
  expect(stacks[0]).toHaveLength(STACK_MAX);
});

test('a type that is larger than every api should have to read is not published', async () => {
  await using sandbox = await openSandbox();
  const registry = createRegistry({ redis: await sandbox.connect(), prefix: sandbox.prefix });
  const large = { ...TYPE, description: 'x'.repeat(TYPE_MAX) };
  await expect(registry.publish([{ ...TYPE, type: 'test.small' }, large])).rejects.toThrow(
    /test\.work: expected schemas, .* at most 65536 characters/,
  );
  expect(await registry.types()).toEqual([]);
});

test('an output chunk that is nested too deep is refused where it is made', async () => {
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const refusals: unknown[] = [];
  await consume(sandbox, async ({ reports }) => {
    for (const levels of [256, 257]) {
      try {
        reports.output(JSON.parse('['.repeat(levels) + ']'.repeat(levels)));
      } catch (error) {
        refusals.push((error as Error).message);
      }
    }
    return { kind: 'completed', result: null };
  });
  await submit();
  await until('the second chunk was refused', () => refusals.length > 0);
  expect(refusals).toEqual(['output: expected at most 256 levels, got more']);
});
