import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionRole, closeRedis, connectRedis, type Redis } from '@spillway/queue/connection';
import { redisUrl } from './sandbox.ts';

/** A Redis that belongs to one test, to be killed and started again. Ended and removed with `await using`. */
export interface RedisServer extends AsyncDisposable {
  /** Stays the same over restarts. */
  readonly url: string;
  /** A connection that is closed at the end. Resolves once it is ready. */
  connect(role?: ConnectionRole): Promise<Redis>;
  /** Stops it where it is: connections stay, and nothing is answered until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it with SIGKILL; resolves once it is gone. What it had written to its append-only file is kept. */
  kill(): Promise<void>;
  /** Takes the last bytes of the append-only file away, as a power cut would. To be called between `kill` and `start`. */
  loseTail(bytes: number): Promise<void>;
  /** Starts it on the same port with the data that is on disk; resolves once it answers. */
  start(): Promise<void>;
}

/** What to spawn. */
interface Program {
  file: string;
  env: NodeJS.ProcessEnv;
}

/**
 * Starts a Redis on a free port with an append-only file, written as `npm start` has it written.
 * @throws Error when the Redis of REDIS_URL does not run on this machine: its program is the one that is started.
 */
export async function startRedis(): Promise<RedisServer> {
  const server = new SpawnedRedis(await programOf(redisUrl()), await mkdtemp(join(tmpdir(), 'spillway-redis-')));
  await server.open();
  return server;
}

class SpawnedRedis implements RedisServer {
  readonly #program: Program;
  readonly #folder: string;
  readonly #connections: Redis[] = [];
  #port = 0;
  #child: ChildProcess | undefined;

  constructor(program: Program, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    this.#port = await freePort();
    await this.start();
  }

  async connect(role: ConnectionRole = 'command'): Promise<Redis> {
    const redis = connectRedis(this.url, role, 'test', () => undefined);
    this.#connections.push(redis);
    await untilReady(redis);
    return redis;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async loseTail(bytes: number): Promise<void> {
    const { path, size } = await this.#tail();
    await truncate(path, Math.max(0, size - bytes));
  }

  async start(): Promise<void> {
    const settings = {
      port: this.#port,
      bind: '127.0.0.1',
      dir: this.#folder,
      logfile: join(this.#folder, 'redis.log'),
      'maxmemory-policy': 'noeviction',
      save: '',
      appendonly: 'yes',
      appendfsync: 'everysec',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn(this.#program.file, args, { stdio: 'ignore', env: this.#program.env });
    this.#child = child;
    const redis = connectRedis(this.url, 'command', 'test', () => undefined);
    const ended = once(child, 'exit').then(async ([code]) => {
      const log = await readFile(join(this.#folder, 'redis.log'), 'utf8').catch(() => '');
      throw new Error(`Redis ended with ${code} before it answered:\n${log}`);
    });
    try {
      await Promise.race([untilReady(redis), ended]);
    } finally {
      ended.catch(() => undefined);
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map(closeRedis));
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The append-only file that is being written: one of several in a folder since Redis 7, the only one before. */
  async #tail(): Promise<{ path: string; size: number }> {
    const names = await readdir(this.#folder, { recursive: true });
    const name = names.find((each) => each.endsWith('.incr.aof')) ?? names.find((each) => each.endsWith('.aof'));
    if (!name) throw new Error(`expected an append-only file in ${this.#folder}, found ${names.join(', ')}`);
    const path = join(this.#folder, name);
    return { path, size: (await stat(path)).size };
  }
}

/** The program that serves `url`. */
async function programOf(url: string): Promise<Program> {
  const redis = connectRedis(url, 'command', 'test', () => undefined);
  await untilReady(redis);
  const info = await redis.info('server').finally(() => closeRedis(redis));
  const [, file = ''] = /^executable:(.+?)\r?$/m.exec(info) ?? [];
  const [, pid = ''] = /^process_id:(\d+)/m.exec(info) ?? [];
  if (!existsSync(file))
    throw new Error(`expected the Redis of REDIS_URL to be a program of this machine, got ${file || 'no path'}`);
  return { file, env: { ...process.env, LD_LIBRARY_PATH: (await libraryFolders(pid)).join(':') } };
}

/** Where the process has its libraries from: a server that was unpacked and not installed finds them only if told. */
async function libraryFolders(pid: string): Promise<string[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => ''); // other systems have no /proc, nor the need
  return [...new Set([...maps.matchAll(/ (\/.+)\/[^/]+\.so[.\d]*$/gm)].map(([, folder = '']) => folder))];
}

async function untilReady(redis: Redis): Promise<void> {
  if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
