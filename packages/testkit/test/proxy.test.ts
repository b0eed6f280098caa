import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type FaultProxy, openProxy, until } from '../src/index.ts';

/** A server that says its name to each who comes, then echoes. */
async function startEcho(name: string): Promise<AsyncDisposable & { url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.write(name);
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A client that keeps what it hears and how it ended. */
async function dial(url: string): Promise<Disposable & { socket: Socket; heard(): string; end(): string | undefined }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let heard = '';
  let end: string | undefined;
  socket.on('data', (bytes) => (heard += bytes.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (end = error.code));
  socket.on('close', () => (end ??= 'closed'));
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return { socket, heard: () => heard, end: () => end, [Symbol.dispose]: () => void socket.destroy() };
}

async function dialAndHear(proxy: FaultProxy, name: string) {
  const client = await dial(proxy.url);
  await until(`the name ${name}`, () => client.heard() === name);
  return client;
}

test('connections go to the targets in turn, and past one that does not listen', async () => {
  await using a = await startEcho('a');
  await using b = await startEcho('b');
  await using proxy = await openProxy([a.url, b.url]);
  using first = await dialAndHear(proxy, 'a');
  using _second = await dialAndHear(proxy, 'b');
  first.socket.write('!');
  await until('the echo', () => first.heard() === 'a!');
  proxy.setTargets(['http://127.0.0.1:1', b.url]);
  using _third = await dialAndHear(proxy, 'b');
  using _fourth = await dialAndHear(proxy, 'b');
  expect(proxy.connections).toBe(4);
});

test('a reset reaches both sides, once or again and again', async () => {
  await using a = await startEcho('a');
  await using proxy = await openProxy([a.url]);
  using client = await dialAndHear(proxy, 'a');
  proxy.reset();
  await until('the reset', () => client.end() === 'ECONNRESET' && a.sockets.size === 0);
  expect(proxy.connections).toBe(0);
  const stop = proxy.resetEvery(5);
  for (let round = 0; round < 3; round++) {
    using again = await dial(proxy.url);
    // Of bytes and a reset that come in one look, libuv tells the bytes and an end, not the reset.
    await until('the next reset', () => again.end() !== undefined);
  }
  stop();
  using _calm = await dialAndHear(proxy, 'a');
});

test('a stalled connection blocks its sender and goes on without loss', async () => {
  await using a = await startEcho('a');
  await using proxy = await openProxy([a.url]);
  using client = await dialAndHear(proxy, 'a');
  proxy.stall();
  const much = 'x'.repeat(8_000_000);
  client.socket.write(much);
  await until('the sender to block', () => client.socket.writableLength > 0);
  expect(client.heard()).toBe('a');
  proxy.heal();
  await until('everything', () => client.heard().length === 1 + much.length);
  expect(client.end()).toBeUndefined();
});

test('a silenced connection loses bytes and ends without a word, while new ones are fine', async () => {
  await using a = await startEcho('a');
  await using proxy = await openProxy([a.url]);
  using client = await dialAndHear(proxy, 'a');
  proxy.silence();
  client.socket.write('anybody?');
  using fresh = await dialAndHear(proxy, 'a');
  fresh.socket.write('!');
  await until('the echo of the new one', () => fresh.heard() === 'a!');
  for (const socket of a.sockets) socket.destroy();
  await until('the end of the new one', () => fresh.end() !== undefined);
  expect([client.heard(), client.end()]).toEqual(['a', undefined]);
});

test('silence in one direction lets the other one through', async () => {
  await using a = await startEcho('a');
  await using proxy = await openProxy([a.url]);
  using client = await dialAndHear(proxy, 'a');
  const [server] = a.sockets;
  let received = '';
  server?.on('data', (bytes) => (received += bytes.toString()));
  proxy.silence('to client');
  client.socket.write('hello');
  await until('the words at the target', () => received === 'hello');
  expect(client.heard()).toBe('a');
});

test('while it refuses, new connections are reset and those that stand go on', async () => {
  await using a = await startEcho('a');
  await using proxy = await openProxy([a.url]);
  using client = await dialAndHear(proxy, 'a');
  proxy.refuse();
  using turned = await dial(proxy.url);
  await until('the refusal', () => turned.end() === 'ECONNRESET');
  client.socket.write('!');
  await until('the echo', () => client.heard() === 'a!');
  proxy.heal();
  using _welcome = await dialAndHear(proxy, 'a');
});

test('without any target that listens, a connection is reset', async () => {
  await using proxy = await openProxy(['http://127.0.0.1:1']);
  using client = await dial(proxy.url);
  await until('the reset', () => client.end() === 'ECONNRESET');
});
