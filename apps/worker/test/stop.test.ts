import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { JobType } from '@spillway/contracts';
import { createProducer } from '@spillway/queue/producer';
import { createReader } from '@spillway/queue/reader';
import { openProxy, openSandbox, type RedisServer, startRedis, startService, until } from '@spillway/testkit';

const JOBS = join(__dirname, 'fixtures/gated.mjs');
/** Loading TypeScript takes a while, in which a signal may come. */
const TYPESCRIPT_JOBS = join(__dirname, 'fixtures/typescript-jobs.ts');

const MAIN = resolve(__dirname, '../dist/main.js');
const GATED: JobType = { type: 'test.gated', queue: 'gated', input: {}, defaults: {} };
const ENDED_WELL = { code: 0, signal: null };

// A process takes a while to start on a busy machine, and most tests need two.
jest.setTimeout(90_000);

/** Workers as processes, and one job that runs on the first of them until it is let go. */
async function openStage(env: Record<string, string>, server?: RedisServer) {
  const sandbox = await openSandbox(server?.url);
  const redis = await sandbox.connect();
  const { prefix } = sandbox;
  const producer = createProducer({ redis, prefix, onError: () => undefined });
  sandbox.defer(() => producer.close());
  const reader = createReader({ redis, prefix });
  const addWorker = async () => {
    const worker = await startService('worker', {
      REDIS_URL: sandbox.redisUrl,
      SPILLWAY_PREFIX: prefix,
      SPILLWAY_JOBS: JOBS,
      WORKER_QUEUES: 'gated',
      ...env,
    });
    sandbox.defer(() => worker.stop('SIGKILL'));
    return worker;
  };
  const worker = await addWorker();
  const gate = join(sandbox.folder, 'gate');
  const { id } = await producer.submit({ type: GATED, input: { gate } });
  await until('the job to run', async () => (await reader.snapshot(id)).log.length > 0);
  return {
    worker,
    addWorker,
    job: () => reader.snapshot(id),
    letGo: () => writeFile(gate, ''),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

test('what a stopping worker cannot finish in time ends on another, as the same attempt and with its first lines', async () => {
  await using stage = await openStage({ WORKER_STOP_MS: '300' });
  const before = await stage.job();
  expect(await stage.worker.stop()).toEqual(ENDED_WELL);
  expect((await stage.job()).job).toMatchObject({ state: 'waiting', attempt: 0, attempts: 1 });

  await stage.addWorker();
  await stage.letGo();
  await until('the end', async () => (await stage.job()).job.finishedAt);
  const { job, log } = await stage.job();
  expect(job).toMatchObject({ state: 'completed', attempt: 1, attempts: 1 });
  expect(job.worker).not.toBe(before.job.worker);
  expect(log.map(({ line }) => line)).toEqual(['attempt 1 started', 'attempt 1 started', 'attempt 1 ends']);
});

test.each(['1', '2'])(
  'a second signal hands back at once what could have run for an hour, with %s processes',
  async (count) => {
    await using stage = await openStage({ WORKER_STOP_MS: '3600000', WORKER_PROCESSES: count });
    const { worker, job } = stage;
    const stops = () => worker.output().split('"msg":"stopping"').length - 1;
    process.kill(worker.pid, 'SIGTERM');
    await until('all to stop', () => stops() === (count === '1' ? 1 : 3));
    expect((await job()).job.state).toBe('active');
    expect(await worker.stop()).toEqual(ENDED_WELL);
    expect((await job()).job).toMatchObject({ state: 'waiting', attempt: 0 });
  },
);

test('a worker stops in time while Redis is dead', async () => {
  await using server = await startRedis();
  await using stage = await openStage({ WORKER_STOP_MS: '200' }, server);
  await server.kill();
  const ended = await stage.worker.stop();
  await server.start();
  expect(ended).toEqual(ENDED_WELL);
});

test('a worker stops in time while Redis hangs', async () => {
  await using server = await startRedis();
  await using stage = await openStage({ WORKER_STOP_MS: '200' }, server);
  server.pause();
  const ended = await stage.worker.stop();
  server.resume();
  expect(ended).toEqual(ENDED_WELL);
});

test('a worker stops in time over connections that died without a word', async () => {
  await using sandbox = await openSandbox();
  await using proxy = await openProxy([sandbox.redisUrl]);
  const REDIS_URL = proxy.url.replace('http:', 'redis:');
  await using stage = await openStage({ REDIS_URL, WORKER_STOP_MS: '200' });
  proxy.silence();
  expect(await stage.worker.stop()).toEqual(ENDED_WELL);
  expect((await stage.job()).job.state).toBe('active');
});

describe('a signal during the start ends a worker', () => {
  function launch(env: Record<string, string>) {
    const child = fork(MAIN, {
      env: { ...process.env, SPILLWAY_JOBS: TYPESCRIPT_JOBS, ...env },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const ended = once(child, 'exit');
    return { child, ended };
  }

  test('that waits for Redis', async () => {
    await using sandbox = await openSandbox();
    await using proxy = await openProxy([sandbox.redisUrl]);
    proxy.stall();
    const { child, ended } = launch({ REDIS_URL: proxy.url.replace('http:', 'redis:') });
    await until('it to ask', () => proxy.connections > 0, 25_000);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  test.each([30, 150, 300, 450, 600, 800])('after %d ms, whatever it was doing then', async (ms) => {
    await using sandbox = await openSandbox();
    const { child, ended } = launch({ REDIS_URL: sandbox.redisUrl, SPILLWAY_PREFIX: sandbox.prefix });
    // The phases of a start have no event to wait for from outside; any moment is right here, and none is asserted.
    await new Promise((resume) => setTimeout(resume, ms));
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    expect(signal ?? code).toBe(signal ? 'SIGTERM' : 0);
  });
});
