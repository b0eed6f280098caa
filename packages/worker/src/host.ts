import { hostname } from 'node:os';
import type { WorkerInfo } from '@spillway/contracts';
import type { FileStore } from '@spillway/files';
import { checkServer, closeRedis, connectRedis, redisCheck, settledWithin } from '@spillway/queue/connection';
import { type Consumer, concludeBatches, createConsumer, makeWorkerId } from '@spillway/queue/consumer';
import { BEAT_MS, createRegistry } from '@spillway/queue/registry';
import { beat, type Config, ConfigError, type Logger, VERSION } from '@spillway/runtime';
import { type LoopWatch, type RunningHere, watchLoop } from './blocked-loop/watch.ts';
import type { DefinedJob } from './define-job.ts';
import { createIsolates } from './isolate/pool.ts';
import { type LoadedJob, loadJob } from './job-type.ts';
import { runJob } from './run-job.ts';

export { loadJobs } from './load-jobs.ts';

/** A worker that runs jobs until it is stopped. */
export interface WorkerHost {
  readonly id: string;
  /**
   * Stops taking, lets jobs finish for WORKER_STOP_MS, hands the rest back, closes connections; a second or so longer at
   * most where Redis does not answer. Calling twice is harmless.
   */
  stop(): Promise<void>;
  /** Ends the patience of a stop: what still runs is handed back now. Calling it earlier stops the taking as well. */
  hurry(): void;
}

export interface HostSetup {
  jobs: readonly DefinedJob[];
  files: FileStore;
  config: Config;
  logger: Logger;
  /** How long a lease lasts without renewal; 10 s. */
  leaseMs?: number;
  /** Once it has aborted, no job is taken. */
  stopping?: AbortSignal;
}

/** Practically for ever: as long as a timer can run. */
const LONGEST_WAIT_MS = 2_147_483_647;
/** What a worker's last words may take where Redis has gone. */
const LEAVE_MS = 500;

/**
 * Publishes the job types and takes jobs of their queues. Resolves once it takes jobs; waits for Redis as long as that
 * takes, because a worker has nothing better to do.
 * @throws TypeError for a schema that cannot be used, the reason of `stopping`, ConfigError where
 * WORKER_QUEUES names a queue that no type is on, and for a Redis that must not be used.
 */
export async function startWorker(host: HostSetup): Promise<WorkerHost> {
  const { jobs, files, config, logger, leaseMs, stopping: stopped } = host;
  const id = makeWorkerId();
  const loaded = new Map(jobs.map((job) => [job.type, loadJob(job)]));
  const queues = chooseQueues([...loaded.values()], config);
  for (const { gather, published } of loaded.values()) gather?.bound(queues.get(published.queue) ?? 1);
  const onError = (err: Error) => logger.warn({ err }, 'trouble with Redis');
  const redis = connectRedis(config.redisUrl, 'worker', id, onError);
  const refusals = await checkServer(redis, {
    isStrict: config.production,
    waitMs: LONGEST_WAIT_MS,
    warn: (text) => logger.warn(text),
  });
  if (refusals.length > 0) {
    await closeRedis(redis);
    throw new ConfigError(refusals.map((reason) => `REDIS_URL: ${reason}`));
  }
  const registry = createRegistry({ redis, prefix: config.prefix });
  await registry.publish([...loaded.values()].map(({ published }) => published));

  stopped?.throwIfAborted();

  const isolates = createIsolates({ config, files: files.config, concurrency: queues });
  const setup = { jobs: loaded, files, logger, resultLimitBytes: config.resultLimitBytes, isolates };
  const batches = concludeBatches({ redis, prefix: config.prefix, onError });
  const consumers = [...queues].map(([queue, concurrency]) =>
    createConsumer({
      queue,
      redis,
      prefix: config.prefix,
      workerId: id,
      concurrency,
      cancelGraceMs: (type) => loaded.get(type)?.cancelGraceMs ?? config.cancelGraceMs,
      run: (lease) => runJob(lease, setup),
      batches,
      onError,
      ...(leaseMs && { leaseMs }),
    }),
  );
  const running = () => onThisLoop(consumers, loaded);
  const watch = watchLoop({ types: typesHere(loaded), running, config, logger });
  await Promise.all(consumers.map((consumer) => consumer.ready()));
  const stopBeating = await startBeating(
    () => registry.beat(describeWorker(id, queues, loaded, consumers, watch)),
    onError,
  );
  const stopHealth = config.healthFile ? beat(config.healthFile, redisCheck(redis)) : () => undefined;
  logger.info({ workerId: id, queues: Object.fromEntries(queues), types: [...loaded.keys()] }, 'taking jobs');

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    stopBeating();
    stopHealth();
    for (const { gather } of loaded.values()) gather?.stop();
    await Promise.all(consumers.map((consumer) => consumer.stop(config.workerStopMs)));
    await Promise.all([isolates.stop(), watch.stop()]);
    await settledWithin(batches.close(), LEAVE_MS);
    if (redis.status === 'ready') await settledWithin(registry.leave(id), LEAVE_MS);
    await closeRedis(redis);
  };
  return {
    id,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    hurry() {
      for (const consumer of consumers) void consumer.stop(0);
    },
  };
}

/** The queues to serve, each with how many of its jobs run at once here: as WORKER_QUEUES says, as its types say, or WORKER_CONCURRENCY. */
function chooseQueues(jobs: readonly LoadedJob[], config: Config): Map<string, number> {
  const known = [...new Set(jobs.map(({ published }) => published.queue))].sort();
  const wanted = config.workerQueues.length > 0 ? config.workerQueues.map(parseQueue) : known.map(parseQueue);
  const unknown = wanted.filter(({ name }) => !known.includes(name)).map(({ name }) => name);
  if (unknown.length > 0) {
    throw new ConfigError([
      `WORKER_QUEUES: expected queues of the loaded types (${known.join(', ')}), got ${unknown.join(', ')}`,
    ]);
  }
  return new Map(wanted.map(({ name, concurrency }) => [name, concurrency ?? concurrencyOf(name, jobs, config)]));
}

/** `<queue>` or `<queue>:<jobs at once>`. */
function parseQueue(entry: string): { name: string; concurrency?: number } {
  const [name = '', number, ...rest] = entry.split(':');
  if (number === undefined) return { name };
  const concurrency = Number(number);
  if (rest.length > 0 || !Number.isInteger(concurrency) || concurrency < 1 || concurrency > 1000) {
    throw new ConfigError([`WORKER_QUEUES: expected <queue> or <queue>:<1 to 1000>, got ${JSON.stringify(entry)}`]);
  }
  return { name, concurrency };
}

function concurrencyOf(queue: string, jobs: readonly LoadedJob[], config: Config): number {
  const own = jobs.filter(({ published }) => published.queue === queue);
  const gathered = own.flatMap(({ gather }) => gather?.wanted ?? []);
  const said = own.flatMap(({ concurrency }) => concurrency ?? []);
  return Math.min(Math.max(config.workerConcurrency, ...gathered), ...said);
}

function describeWorker(
  id: string,
  queues: ReadonlyMap<string, number>,
  loaded: ReadonlyMap<string, LoadedJob>,
  consumers: readonly Consumer[],
  watch: LoopWatch,
): Omit<WorkerInfo, 'seenAt'> {
  return {
    id,
    host: hostname(),
    pid: process.pid,
    queues: [...queues.keys()],
    types: [...loaded.keys()],
    concurrency: Object.fromEntries(queues),
    running: consumers.reduce((sum, consumer) => sum + consumer.running, 0),
    blocked: watch.report(),
    startedAt: new Date(Date.now() - process.uptime() * 1000).toISOString(),
    version: VERSION,
  };
}

/** The types that run on this event loop, and so can block it. */
function typesHere(loaded: ReadonlyMap<string, LoadedJob>): { type: string; file: string | undefined }[] {
  return [...loaded.values()].flatMap(({ published: { type }, file, isolation }) => (isolation ? [] : { type, file }));
}

function onThisLoop(consumers: readonly Consumer[], loaded: ReadonlyMap<string, LoadedJob>): RunningHere[] {
  const leases = consumers.flatMap((consumer) => consumer.leases());
  return leases.flatMap(({ id, type }) => (loaded.get(type)?.isolation ? [] : { id, type }));
}

/** Beats once before it returns, so that a worker that is ready is also on the list. */
async function startBeating(once: () => Promise<void>, onError: (error: Error) => void): Promise<() => void> {
  await once();
  const timer = setInterval(() => once().catch(onError), BEAT_MS);
  return () => clearInterval(timer);
}
