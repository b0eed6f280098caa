import { startRedis } from '../src/index.ts';

test('a Redis of its own keeps its data over a kill, but for what is taken from its file', async () => {
  await using server = await startRedis();
  const redis = await server.connect();
  await redis.set('first', '1');
  await server.kill();
  await server.start();
  expect(await redis.get('first')).toBe('1');
  await redis.set('second', '2');
  await server.kill();
  await server.loseTail(10);
  await server.start();
  expect(await redis.mget('first', 'second')).toEqual(['1', null]);
});
