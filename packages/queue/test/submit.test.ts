import { openSandbox, until } from '@spillway/testkit';

test('a sandbox reaches the real Redis and leaves nothing behind', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  await redis.set(`${sandbox.prefix}:x`, '1');
  expect(await until('x', () => redis.get(`${sandbox.prefix}:x`))).toBe('1');
});
