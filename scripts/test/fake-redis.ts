import { once } from 'node:events';
import net from 'node:net';

/** Answers like a Redis of the given version; with a password, refuses all other logins. */
export async function fakeRedis({ version, password }: { version: string; password?: string }) {
  const server = net.createServer((socket) => {
    let allowed = password === undefined;
    socket.setEncoding('latin1');
    socket.on('data', (received) => {
      const words = String(received)
        .split('\r\n')
        .filter((_, n) => n > 0 && n % 2 === 0);
      if (words[0] === 'AUTH') allowed = words.at(-1) === password;
      socket.write(answer(words, allowed, version));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return {
    url: (login = '') => `redis://${login}127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

function answer(words: string[], allowed: boolean, version: string): string {
  if (!allowed)
    return words[0] === 'AUTH' ? '-WRONGPASS invalid password.\r\n' : '-NOAUTH Authentication required.\r\n';
  if (words[0] === 'AUTH') return '+OK\r\n';
  const text =
    words[1] === 'server' ? `# Server\r\nredis_version:${version}\r\n` : '# Memory\r\nmaxmemory_policy:allkeys-lru\r\n';
  return `$${text.length}\r\n${text}\r\n`;
}
