import { join } from 'node:path';
import { openSandbox, type Sandbox } from './sandbox.ts';
import { type ServiceProcess, startService } from './service-process.ts';

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
}

export interface SpillwayOptions {
  workers?: number;
  env?: Record<string, string>;
}

/** Starts api, status and workers and resolves once all are ready. Everything ends with `await using`. */
export async function startSpillway({ workers: count = 1, env: extra = {} }: SpillwayOptions = {}): Promise<Spillway> {
  const sandbox = await openSandbox();
  const env = {
    REDIS_URL: sandbox.redisUrl,
    SPILLWAY_PREFIX: sandbox.prefix,
    SPILLWAY_FILES: join(sandbox.folder, 'files'),
    SPILLWAY_PORT: '0',
    SPILLWAY_STATUS_PORT: '0',
    ...extra,
  };
  try {
    const status = await startService('status', env);
    sandbox.defer(() => status.stop());
    const workers: ServiceProcess[] = [];
    const addWorker = async (more: Record<string, string> = {}) => {
      const worker = await startService('worker', { ...env, ...more });
      sandbox.defer(() => worker.stop());
      workers.push(worker);
      return worker;
    };
    await Promise.all(Array.from({ length: count }, () => addWorker()));
    const api = await startService('api', { ...env, SPILLWAY_STATUS_URL: status.url });
    sandbox.defer(() => api.stop());
    return {
      url: api.url,
      sandbox,
      api,
      status,
      workers,
      env,
      addWorker,
      [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
    };
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    throw error;
  }
}
