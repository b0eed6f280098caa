import { type Client, type ClientOptions, createClient, type WatchedJob } from '../src/index.ts';
import { LiveServer } from './live-server.ts';

/** A server with one waiting job, and a client of it. */
export interface House extends AsyncDisposable {
  server: LiveServer;
  client: Client;
}

/** Timers short enough for a test, and in the same order as the real ones. */
const TIMING = { pollMs: 20, firstByteMs: 150, tryAgainMs: 300 };

export async function openHouse(options: Partial<ClientOptions> = {}): Promise<House> {
  const server = await LiveServer.start();
  server.add();
  const client = createClient({ baseUrl: server.url, timing: TIMING, ...options });
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function lines(job: WatchedJob | undefined): string[] {
  return job?.log.map(({ n, line }) => `${n} ${line}`) ?? [];
}
