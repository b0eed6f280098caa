import { hostname } from 'node:os';
import type { WorkerInfo } from '@spillway/contracts';
import type { FileStore } from '@spillway/files';
import { closeRedis, connectRedis } from '@spillway/queue/connection';
import { type Consumer, createConsumer, makeWorkerId } from '@spillway/queue/consumer';
import { BEAT_MS, createRegistry } from '@spillway/queue/registry';
import { beat, type Config, ConfigError, type Logger, VERSION } from '@spillway/runtime';
import type { DefinedJob } from './define-job.ts';
import { type LoadedJob, loadJob } from './job-type.ts';
import { runJob } from './run-job.ts';

export { loadJobs } from './load-jobs.ts';

/** A worker that runs jobs until it is stopped. */
export interface WorkerHost {
  readonly id: string;
  /** Stops taking, lets jobs finish for WORKER_STOP_MS, hands the rest back, closes connections. Calling twice is harmless. */
  stop(): Promise<void>;
}

export interface HostSetup {
  jobs: readonly DefinedJob[];
  files: FileStore;
  config: Config;
  logger: Logger;
}

/**
 * Publishes the job types and takes jobs of their queues. Resolves once it takes jobs; waits for Redis as long as that
 * takes, because a worker has nothing better to do.
 * @throws TypeError for a schema that cannot be used, ConfigError where WORKER_QUEUES names a queue that no type is on.
 */
export async function startWorker({ jobs, files, config, logger }: HostSetup): Promise<WorkerHost> {
  const id = makeWorkerId();
  const loaded = new Map(jobs.map((job) => [job.type, loadJob(job)]));
  const queues = chooseQueues(loaded, config.workerQueues);
  const onError = (err: Error) => logger.warn({ err }, 'trouble with Redis');
  const redis = connectRedis(config.redisUrl, 'worker', id, onError);
  const registry = createRegistry({ redis, prefix: config.prefix });
  await registry.publish([...loaded.values()].map(({ published }) => published));

  const setup = { jobs: loaded, files, logger, resultLimitBytes: config.resultLimitBytes };
  const consumers = queues.map((queue) =>
    createConsumer({
      queue,
      redis,
      prefix: config.prefix,
      workerId: id,
      concurrency: config.workerConcurrency,
      run: (lease) => runJob(lease, setup),
      onError,
    }),
  );
  await Promise.all(consumers.map((consumer) => consumer.ready()));
  const stopBeating = await startBeating(
    () => registry.beat(describeWorker(id, queues, loaded, config, consumers)),
    onError,
  );
  const stopHealth = config.healthFile ? beat(config.healthFile, () => redis.ping()) : () => undefined;
  logger.info({ workerId: id, queues, types: [...loaded.keys()] }, 'taking jobs');

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    stopBeating();
    stopHealth();
    await Promise.all(consumers.map((consumer) => consumer.stop(config.workerStopMs)));
    if (redis.status === 'ready') await registry.leave(id);
    await closeRedis(redis);
  };
  return {
    id,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

function chooseQueues(loaded: ReadonlyMap<string, LoadedJob>, wanted: readonly string[]): string[] {
  const known = [...new Set([...loaded.values()].map(({ published }) => published.queue))].sort();
  if (wanted.length === 0) return known;
  const unknown = wanted.filter((queue) => !known.includes(queue));
  if (unknown.length > 0) {
    throw new ConfigError([
      `WORKER_QUEUES: expected queues of the loaded types (${known.join(', ')}), got ${unknown.join(', ')}`,
    ]);
  }
  return [...wanted];
}

function describeWorker(
  id: string,
  queues: string[],
  loaded: ReadonlyMap<string, LoadedJob>,
  config: Config,
  consumers: readonly Consumer[],
): Omit<WorkerInfo, 'seenAt'> {
  return {
    id,
    host: hostname(),
    pid: process.pid,
    queues,
    types: [...loaded.keys()],
    concurrency: config.workerConcurrency,
    running: consumers.reduce((sum, consumer) => sum + consumer.running, 0),
    startedAt: new Date(Date.now() - process.uptime() * 1000).toISOString(),
    version: VERSION,
  };
}

/** Beats once before it returns, so that a worker that is ready is also on the list. */
async function startBeating(once: () => Promise<void>, onError: (error: Error) => void): Promise<() => void> {
  await once();
  const timer = setInterval(() => once().catch(onError), BEAT_MS);
  return () => clearInterval(timer);
}
