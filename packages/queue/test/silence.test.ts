import { openProxy, openSandbox, type Sandbox, until } from '@spillway/testkit';
import { withRedis } from '../src/engine/unavailable.ts';
import { createReader } from '../src/reader/index.ts';
import { createRegistry } from '../src/registry/index.ts';
import { connectOver, TYPE } from './fixture.ts';

/** A registry whose connection goes through a proxy, with a type in it. */
async function openOverProxy(sandbox: Sandbox) {
  const proxy = await openProxy([sandbox.redisUrl]);
  sandbox.defer(() => proxy[Symbol.asyncDispose]());
  const redis = await connectOver(proxy.url.replace('http:', 'redis:'), sandbox);
  const registry = createRegistry({ redis, prefix: sandbox.prefix });
  await registry.publish([TYPE]);
  return { proxy, redis, registry };
}

const UNKNOWN = { code: 'unavailable', message: expect.stringContaining('whether this was done is not known') };
const NOTHING_DONE = { code: 'unavailable', message: expect.stringContaining('nothing was done') };

test('while Redis hangs, callers are told so, later ones without being let wait, and all is well once it goes on', async () => {
  await using sandbox = await openSandbox();
  const { proxy, redis, registry } = await openOverProxy(sandbox);
  // The connection is kept for as long as this takes.
  redis.options.socketTimeout = 60_000;
  proxy.stall();
  const waiting = [registry.types(), createReader({ redis, prefix: sandbox.prefix }).queue('work')];
  for (const each of waiting) await expect(each).rejects.toMatchObject(UNKNOWN);
  await expect(registry.types()).rejects.toMatchObject(NOTHING_DONE);
  proxy.heal();
  expect(await until('an answer', () => registry.types().catch(() => undefined))).toEqual([TYPE]);
});

test('a connection that died without a word is replaced', async () => {
  await using sandbox = await openSandbox();
  const { proxy, redis, registry } = await openOverProxy(sandbox);
  const { stream } = redis;
  proxy.silence();
  await expect(registry.types()).rejects.toMatchObject(UNKNOWN);
  expect(await until('an answer', () => registry.types().catch(() => undefined))).toEqual([TYPE]);
  expect(redis.stream).not.toBe(stream);
});

test('a call that takes long while Redis goes on answering is waited for', async () => {
  await using sandbox = await openSandbox();
  const { redis } = await openOverProxy(sandbox);
  const steps = 15;
  const call = withRedis(redis, async () => {
    for (let step = 0; step < steps; step += 1) {
      await redis.ping();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return 'at last';
  });
  expect(await call).toBe('at last');
});
