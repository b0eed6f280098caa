import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a connection and Redis, and spoils it on demand. */
export interface RedisProxy extends AsyncDisposable {
  /** Where to connect instead of Redis. */
  readonly url: string;
  /** Breaks every connection. */
  cut(): void;
  /** What stands now loses every byte in both directions, and nobody is told. New connections are fine. */
  silence(): void;
  /** The next bytes from Redis to a client are swallowed, and the connection is broken: done, but never answered. */
  loseNextReply(): void;
  /** From now on Redis gives another run id, as after a restart. To be followed by `cut`. */
  pretendRestart(): void;
}

interface Link {
  client: Socket;
  target: Socket;
  silent: boolean;
  loseReply: boolean;
}

export async function openRedisProxy(redisUrl: string): Promise<RedisProxy> {
  const { hostname, port } = new URL(redisUrl);
  const links = new Set<Link>();
  let life = 0;
  const server = createServer((client) => {
    const target = connect({ host: hostname, port: Number(port) });
    const link = { client, target, silent: false, loseReply: false };
    links.add(link);
    const end = () => {
      links.delete(link);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on('error', () => undefined).on('close', end);
    client.on('data', (bytes) => link.silent || target.write(bytes));
    target.on('data', (bytes) => {
      if (link.silent) return;
      if (link.loseReply) end();
      else client.write(life === 0 ? bytes : otherRunId(bytes, life));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const each = (spoil: (link: Link) => void) => [...links].forEach(spoil);
  const cut = () => each(({ client }) => client.destroy());
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    silence: () => each((link) => Object.assign(link, { silent: true })),
    loseNextReply: () => each((link) => Object.assign(link, { loseReply: true })),
    pretendRestart: () => {
      life += 1;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The same number of bytes, so that the length in front of the reply stays true. */
function otherRunId(bytes: Buffer, life: number): Buffer {
  const text = bytes.toString('latin1');
  return Buffer.from(text.replace(/run_id:[0-9a-f]{6}/, `run_id:${String(life).padStart(6, '0')}`), 'latin1');
}
