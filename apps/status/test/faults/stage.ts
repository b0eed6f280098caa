import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { SubmitReply } from '@spillway/contracts';
import {
  call,
  type FaultProxy,
  openProxy,
  type RedisServer,
  type ServiceProcess,
  type Spillway,
  startRedis,
  startSpillway,
} from '@spillway/testkit';

/** A Spillway on a Redis of its own, with two status processes behind a proxy that spoils their connections. */
export interface Stage extends AsyncDisposable {
  readonly redis: RedisServer;
  /** Between the status processes and Redis; the others reach it directly. */
  readonly redisProxy: FaultProxy;
  readonly spillway: Spillway;
  /** Between the watchers and the status processes. */
  readonly proxy: FaultProxy;
  /** The status processes that run now. */
  readonly statuses: readonly ServiceProcess[];
  /** The event stream of the queue that the jobs are in. */
  readonly stream: string;
  /** Starts a status process in the place of each that has ended. */
  restartEnded(): Promise<void>;
  /** Submits jobs into the paused queue: they wait until `go`. */
  submit(count: number, work: Work): Promise<LinesJob[]>;
  /** Lets the jobs run. */
  go(): Promise<void>;
}

export interface Work {
  steps: number;
  stepMs: number;
  chunkLength?: number;
  /** A file that the jobs wait for when four fifths are done. */
  gate?: string;
}

/** A job of the type `test.lines`, and what it will have said at its end. */
export interface LinesJob extends Work {
  id: string;
  seed: string;
}

const QUEUE = 'lines';
const STATUSES = 2;

export async function startStage(): Promise<Stage> {
  const redis = await startRedis();
  const redisProxy = await openProxy([redis.url]);
  const jobs = join(__dirname, '../fixtures/numbered-lines.ts');
  const spillway = await startSpillway({
    redisUrl: redis.url,
    env: { SPILLWAY_JOBS: jobs, WORKER_CONCURRENCY: '50', SPILLWAY_LOG_LEVEL: 'warn' },
    statusEnv: { REDIS_URL: redisUrlOf(redisProxy) },
  });
  const statuses = [spillway.status];
  while (statuses.length < STATUSES) statuses.push(await spillway.addStatus());
  const proxy = await openProxy(statuses.map(({ url }) => url));
  const control = (act: string) => call(spillway.url, 'POST', `/v1/queues/${QUEUE}/${act}`);
  return {
    redis,
    redisProxy,
    spillway,
    proxy,
    statuses,
    stream: `${spillway.sandbox.prefix}:{${QUEUE}}:events`,
    async restartEnded() {
      await Promise.all(
        statuses.map(async ({ url, hasEnded }, index) => {
          if (!hasEnded()) return;
          statuses[index] = await spillway.addStatus({ SPILLWAY_STATUS_PORT: new URL(url).port });
        }),
      );
    },
    async submit(count, work) {
      await control('pause');
      return Promise.all(Array.from({ length: count }, () => submitOne(spillway, work)));
    },
    async go() {
      await control('resume');
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await spillway[Symbol.asyncDispose]();
      await redisProxy[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** A proxy in front of Redis as clients of Redis name it. */
export function redisUrlOf({ url }: FaultProxy): string {
  return url.replace(/^http/, 'redis');
}

async function submitOne({ url }: Spillway, work: Work): Promise<LinesJob> {
  const seed = randomBytes(4).toString('hex');
  const { body, status } = await call<SubmitReply>(url, 'POST', '/v1/jobs', {
    type: 'test.lines',
    input: { seed, ...work },
  });
  if (status !== 202) throw new Error(`expected the job to be taken, got ${JSON.stringify(body)}`);
  return { id: body.id, seed, ...work };
}
