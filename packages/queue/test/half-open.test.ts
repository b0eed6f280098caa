import { openProxy, openSandbox, until } from '@spillway/testkit';
import { COMPLETED, connectOver, consume, openQueue } from './fixture.ts';

// A connection is only known to be dead once it was silent for longer than the engine's blocking read of 5 s.
const SILENCE_MS = 6000;

test('a worker whose connections died without a word runs the next job', async () => {
  await using sandbox = await openSandbox();
  await using proxy = await openProxy([sandbox.redisUrl]);
  const { submit, reader } = await openQueue(sandbox);
  const redis = await connectOver(proxy.url.replace('http:', 'redis:'), sandbox, 'worker');
  expect(redis.options.socketTimeout).toBeGreaterThan(SILENCE_MS);
  redis.options.socketTimeout = SILENCE_MS;
  await consume(sandbox, async () => COMPLETED, { redis });
  const before = await submit();
  await until('the first job to end', async () => (await reader.job(before.id)).finishedAt);
  proxy.silence();
  const after = await submit();
  await until('the next job to end', async () => (await reader.job(after.id)).finishedAt, 30_000);
  expect((await reader.job(after.id)).state).toBe('completed');
});
