import { join } from 'node:path';
import { openSandbox, type Sandbox } from './sandbox.ts';
import { type ServiceName, type ServiceProcess, startService } from './service-process.ts';

/** A whole Spillway of its own: real processes on free ports, keys under a prefix of their own. */
export interface Spillway extends AsyncDisposable {
  /** Where api answers; live connections too. */
  readonly url: string;
  readonly sandbox: Sandbox;
  readonly api: ServiceProcess;
  readonly status: ServiceProcess;
  readonly workers: readonly ServiceProcess[];
  /** What all services are started with, for starting more of them. */
  readonly env: Record<string, string>;
  addWorker(env?: Record<string, string>): Promise<ServiceProcess>;
  /** Another status process; `SPILLWAY_STATUS_PORT` puts it where an earlier one was. */
  addStatus(env?: Record<string, string>): Promise<ServiceProcess>;
}

export interface SpillwayOptions {
  workers?: number;
  /** A Redis of the test's own, see `startRedis`. */
  redisUrl?: string;
  env?: Record<string, string>;
  /** On top of `env`, for status processes. */
  statusEnv?: Record<string, string>;
}

/** Starts api, status and workers and resolves once all are ready. Everything ends with `await using`. */
export async function startSpillway(options: SpillwayOptions = {}): Promise<Spillway> {
  const { workers: count = 1, env: extra = {} } = options;
  const sandbox = await openSandbox(options.redisUrl);
  const env = {
    REDIS_URL: sandbox.redisUrl,
    SPILLWAY_PREFIX: sandbox.prefix,
    SPILLWAY_FILES: join(sandbox.folder, 'files'),
    SPILLWAY_PORT: '0',
    SPILLWAY_STATUS_PORT: '0',
    ...extra,
  };
  try {
    const add = async (name: ServiceName, more: Record<string, string> = {}) => {
      const service = await startService(name, { ...env, ...more });
      sandbox.defer(() => service.stop());
      return service;
    };
    const addStatus = (more?: Record<string, string>) => add('status', { ...options.statusEnv, ...more });
    const workers: ServiceProcess[] = [];
    const addWorker = async (more?: Record<string, string>) => {
      const worker = await add('worker', more);
      workers.push(worker);
      return worker;
    };
    const [status] = await Promise.all([addStatus(), ...Array.from({ length: count }, () => addWorker())]);
    const api = await add('api', { SPILLWAY_STATUS_URL: status.url });
    return {
      url: api.url,
      sandbox,
      api,
      status,
      workers,
      env,
      addWorker,
      addStatus,
      [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
    };
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    throw error;
  }
}
