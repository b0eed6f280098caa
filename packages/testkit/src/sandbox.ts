import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionRole, closeRedis, connectRedis, type Redis } from '@spillway/queue/connection';

/** A test's own corner of the real Redis: nobody else uses its prefix, and it leaves nothing behind. */
export interface Sandbox extends AsyncDisposable {
  readonly redisUrl: string;
  readonly prefix: string;
  /** A folder of the test's own, removed at the end. */
  readonly folder: string;
  /** A connection that is closed at the end. Resolves once it is ready. */
  connect(role?: ConnectionRole): Promise<Redis>;
  /** Runs at the end, last registered first, before connections are closed. */
  defer(close: () => Promise<unknown> | unknown): void;
}

/** @throws Error when the tests were not started through `npm test`, which brings Redis. */
export function redisUrl(): string {
  const url = process.env.REDIS_URL;
  if (!url) throw new Error('expected REDIS_URL to name a Redis for tests; `npm test` starts one');
  return url;
}

/** `url` names a Redis of the test's own; without it, the one that all tests share. */
export async function openSandbox(url = redisUrl()): Promise<Sandbox> {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const connections: Redis[] = [];
  return {
    redisUrl: url,
    prefix,
    folder,
    async connect(role = 'command') {
      const redis = connectRedis(url, role, prefix, () => undefined);
      connections.push(redis);
      if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
      return redis;
    },
    defer(close) {
      closers.push(close);
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers.reverse()) await close();
      await Promise.all(connections.map(closeRedis));
      await removeKeys(url, prefix);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = connectRedis(url, 'command', 'cleanup', () => undefined);
  await new Promise((resolve) => redis.once('ready', resolve));
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
  await closeRedis(redis);
}
