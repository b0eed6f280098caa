import { once } from 'node:events';
import net from 'node:net';
import { freePort } from '../process/port.mjs';
import { examineRedis } from '../redis/examine.mjs';
import { fakeRedis } from './fake-redis.ts';

test('a Redis that is too old is refused, with both versions named', async () => {
  await using redis = await fakeRedis({ version: '5.0.14' });
  await expect(examineRedis(redis.url())).rejects.toThrow(/needs Redis 6\.2 or newer.* is Redis 5\.0\.14/);
});

test('the oldest supported Redis is accepted, with a warning that its settings lose jobs', async () => {
  await using redis = await fakeRedis({ version: '6.2.0' });
  expect(await examineRedis(redis.url())).toEqual({
    version: '6.2.0',
    warning: expect.stringContaining('maxmemory-policy allkeys-lru'),
  });
});

test('the login in the address is used', async () => {
  await using redis = await fakeRedis({ version: '8.0.2', password: 's3cret/!' });
  expect(await examineRedis(redis.url('app:s3cret%2F%21@'))).toMatchObject({ version: '8.0.2' });
  await expect(examineRedis(redis.url())).rejects.toThrow('NOAUTH');
});

test('a refused login is told without the password', async () => {
  await using redis = await fakeRedis({ version: '8.0.2', password: 'right' });
  const refused = examineRedis(redis.url('app:wr0ng@'));
  await expect(refused).rejects.toThrow('WRONGPASS');
  await expect(refused).rejects.not.toThrow('wr0ng');
});

test('an address where nothing listens is told, with what to do', async () => {
  const address = `redis://127.0.0.1:${await freePort()}`;
  await expect(examineRedis(address)).rejects.toThrow(
    /No usable Redis at redis:.*ECONNREFUSED[\s\S]*Spillway then starts/,
  );
});

test('a server that is no Redis is told apart', async () => {
  const server = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await expect(examineRedis(`redis://127.0.0.1:${port}`)).rejects.toThrow(/expected a Redis server.*HTTP/);
  server.close();
});

test('an address that is none is refused without repeating it: it may hold a password', async () => {
  await expect(examineRedis('localhost:6379')).rejects.toThrow('A Redis address looks like redis://');
});

test('the real Redis of this run is accepted', async () => {
  const { version } = await examineRedis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
});
