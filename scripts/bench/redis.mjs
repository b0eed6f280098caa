// A private Redis for one measurement.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../process/port.mjs';
import { logFileIn, startRedis as startShipped } from '../redis/server.mjs';

/** Both are durable in the same way; `shipped` has the settings that `npm start` gives its Redis besides, `stock` has none. */
const LAUNCHERS = { shipped: launchShipped, stock: launchStock };

/** Starts Redis by a program from `findRedisProgram`, on a free port. `settings` is `shipped` or `stock`. */
export async function startRedis(stage, program, settings) {
  const folder = join(stage.dir, 'redis');
  const adopt = (child) => stage.adopt('redis', child, logFileIn(folder));
  const { url, child } = await LAUNCHERS[settings](program, folder, adopt);
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => {}); // refused until the server listens; the command below waits for that
  const version = await versionOf(client);
  // Where a container holds the server, the child is only its front: its CPU would be a wrong figure, so there is none.
  const pid = program.keepsOwnData ? undefined : child.pid;
  return { url, client, pid, version, close: () => client.disconnect() };
}

function launchShipped(program, folder, onLaunch) {
  return startShipped(program, { folder, durable: true, onLaunch });
}

async function launchStock(program, folder, onLaunch) {
  mkdirSync(join(folder, 'data'), { recursive: true });
  const port = await freePort();
  const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
  const child = program.launch({ port, folder, durable: true, settings });
  onLaunch(child);
  return { url: `redis://127.0.0.1:${port}`, child };
}

async function versionOf(client) {
  const info = await client.info('server');
  const [name, field] = /^valkey_version:/m.test(info) ? ['valkey', 'valkey_version'] : ['redis', 'redis_version'];
  return `${name} ${new RegExp(`^${field}:(.*)$`, 'm').exec(info)[1].trim()}`;
}
