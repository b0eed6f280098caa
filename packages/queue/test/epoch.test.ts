import { openSandbox, redisUrl, until } from '@spillway/testkit';
import { epochOf } from '../src/engine/epoch.ts';
import { createReader } from '../src/reader/index.ts';
import { COMPLETED, connectOver, consume, openQueue } from './fixture.ts';
import { openRedisProxy } from './redis-proxy.ts';

test('every connection to one Redis tells the same epoch, and it outlasts a lost connection', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const [a, b] = [await connectOver(proxy.url, sandbox), await sandbox.connect('feed')];
  const epoch = await epochOf(a);
  expect(epoch).toMatch(/^[0-9a-f]{12}$/);
  expect(await epochOf(b)).toBe(epoch);
  const again = new Promise((resolve) => a.once('ready', resolve));
  proxy.cut();
  await again;
  expect(await epochOf(a)).toBe(epoch);
});

test('a cursor of another epoch is answered with the whole job, one of this epoch with what follows', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit, reader: direct } = await openQueue(sandbox);
  const redis = await connectOver(proxy.url, sandbox);
  const reader = createReader({ redis, prefix: sandbox.prefix });
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    for (let n = 0; n < 5; n += 1) {
      reports.log(`line ${n}`);
      reports.output(n);
    }
    return COMPLETED;
  });
  await until('the end', async () => (await direct.job(id)).finishedAt);
  const { cursor } = await reader.snapshot(id);
  expect(cursor).toMatchObject({ log: 5, output: 5, epoch: await epochOf(redis) });
  expect(await reader.snapshot(id, cursor)).toMatchObject({ log: [], output: [], cursor });
  const restarted = new Promise((resolve) => redis.once('ready', resolve));
  proxy.pretendRestart();
  proxy.cut();
  await restarted;
  const whole = await reader.snapshot(id, cursor);
  expect(whole.log.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4]);
  expect(whole.output.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4]);
  expect(whole.cursor.epoch).not.toBe(cursor.epoch);
  const { log, output } = cursor;
  expect((await reader.snapshot(id, { log, output })).log).toEqual([]);
});

test('a reply that comes over the next connection, after a restart, is never taken for one of the life before', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit, reader: direct } = await openQueue(sandbox);
  const redis = await connectOver(proxy.url, sandbox);
  const reader = createReader({ redis, prefix: sandbox.prefix });
  const { id } = await submit();
  await consume(sandbox, async ({ reports }) => {
    reports.log('line 0');
    return COMPLETED;
  });
  await until('the end', async () => (await direct.job(id)).finishedAt);
  const { cursor } = await reader.snapshot(id);
  // The question is on its way with the cursor's numbers when the connection breaks; the next life answers it.
  proxy.loseNextReply();
  proxy.pretendRestart();
  const answer = await reader.snapshot(id, cursor);
  expect(answer.cursor.epoch).toBe(await epochOf(redis));
  expect(answer.cursor.epoch).not.toBe(cursor.epoch);
  expect(answer.log.map(({ n }) => n)).toEqual([0]);
});

test('where INFO is forbidden there is no epoch, and cursors are taken as they are', async () => {
  await using sandbox = await openSandbox();
  const { redis: admin, prefix, submit } = await openQueue(sandbox);
  // The client library's own remark on it.
  jest.spyOn(console, 'warn').mockImplementation();
  await admin.call('ACL', 'SETUSER', prefix, 'on', 'nopass', '~*', '+@all', '-info');
  sandbox.defer(() => admin.call('ACL', 'DELUSER', prefix));
  const { id } = await submit();
  const url = sandbox.redisUrl.replace('redis://', `redis://${prefix}:x@`);
  const redis = await connectOver(url, sandbox);
  const { cursor } = await createReader({ redis, prefix }).snapshot(id, { log: 0, output: 0 });
  expect(cursor).not.toHaveProperty('epoch');
});

test('a connection for commands that died without a word is replaced, and its epoch with it', async () => {
  await using proxy = await openRedisProxy(redisUrl());
  await using sandbox = await openSandbox();
  const { submit } = await openQueue(sandbox);
  const redis = await connectOver(proxy.url, sandbox);
  const { id } = await submit();
  const reader = createReader({ redis, prefix: sandbox.prefix });
  const { cursor } = await reader.snapshot(id);
  expect(redis.options.socketTimeout).toBeGreaterThan(0);
  redis.options.socketTimeout = 200;
  proxy.silence();
  const answer = await until('an answer', () => reader.snapshot(id, cursor));
  expect(answer.cursor).toEqual(cursor);
});
