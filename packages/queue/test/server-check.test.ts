import { startRedis } from '@spillway/testkit';
import { checkServer, examineServer, judgeServer } from '../src/server-check.ts';

const WELL = { version: '7.2.4', policy: 'noeviction', appendOnly: 'yes', save: '' };

test.each([
  ['nothing to say', {}, []],
  ['nothing of save points in place of the append-only file', { appendOnly: 'no', save: '3600 1' }, []],
  ['an old version', { version: '6.0.16' }, [['unusable', 'expected Redis 6.2 or later (or Valkey), got 6.0.16']]],
  ['nothing of the oldest that will do', { version: '6.2.0' }, []],
  ['eviction', { policy: 'allkeys-lru' }, [['unsafe', 'expected maxmemory-policy noeviction, got allkeys-lru']]],
  ['missing persistence', { appendOnly: 'no' }, [['unsafe', 'a restart of Redis loses every job']]],
  [
    'what cannot be asked',
    { policy: undefined, appendOnly: undefined, save: undefined },
    [['unknown', 'Redis does not tell its maxmemory-policy, appendonly']],
  ],
] as const)('of a server there is %s', (_what, settings, expected) => {
  expect(judgeServer({ ...WELL, ...settings })).toEqual(
    expected.map(([kind, message]) => ({ kind, message: expect.stringContaining(message) })),
  );
});

test('a start is refused for what may lose jobs where that is asked for, and otherwise warned of', async () => {
  await using server = await startRedis();
  const redis = await server.connect();
  expect(await examineServer(redis)).toEqual([]);
  await redis.config('SET', 'maxmemory-policy', 'volatile-lru');
  await redis.config('SET', 'appendonly', 'no');

  const warnings: string[] = [];
  const check = (isStrict: boolean) =>
    checkServer(redis, { isStrict, waitMs: 10_000, warn: (text) => warnings.push(text) });
  expect(await check(true)).toEqual([expect.stringContaining('volatile-lru'), expect.stringContaining('appendonly')]);
  expect(warnings).toEqual([]);
  expect(await check(false)).toEqual([]);
  expect(warnings).toHaveLength(2);
});

test('a server that forbids the questions is warned of and never refused', async () => {
  await using server = await startRedis();
  const admin = await server.connect();
  await admin.call('ACL', 'SETUSER', 'app', 'on', 'nopass', '~*', '&*', '+@all', '-config', '-acl');
  const redis = await server.connect();
  await redis.call('AUTH', 'app', 'x');
  const warnings: string[] = [];
  expect(await checkServer(redis, { isStrict: true, waitMs: 10_000, warn: (text) => warnings.push(text) })).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining('does not tell its maxmemory-policy, appendonly')]);
});

test('a server that comes later is looked at then, and warned of', async () => {
  await using server = await startRedis();
  const redis = await server.connect();
  await server.kill();
  await new Promise((resolve) => (redis.status === 'ready' ? redis.once('close', resolve) : resolve(undefined)));
  const warned = new Promise<string>((resolve) => {
    void checkServer(redis, { isStrict: true, waitMs: 0, warn: resolve });
  });
  await server.start();
  const admin = await server.connect();
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lfu');
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  expect(await warned).toContain('allkeys-lfu');
});
