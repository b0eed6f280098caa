import { openFileStore } from '@spillway/files';
import { createProducer } from '@spillway/queue/producer';
import { createReader } from '@spillway/queue/reader';
import { createRegistry } from '@spillway/queue/registry';
import { ConfigError, createLogger, readConfig } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { startWorker } from '../src/host.ts';
import { type DefinedJob, defineJob } from '../src/index.ts';

const DOUBLE = defineJob({
  type: 'test.double',
  queue: 'numbers',
  input: Type.Object({ n: Type.Integer({ default: 4 }) }),
  output: Type.Object({ doubled: Type.Integer() }),
  run: ({ input }) => ({ doubled: input.n * 2 }),
}) as unknown as DefinedJob;
const ONE_AT_A_TIME = { ...DOUBLE, type: 'test.heavy', concurrency: 1 };
const ECHO = { ...DOUBLE, type: 'test.echo', queue: 'default' };

/** Starts a worker in the sandbox; it stops with it. */
async function start(sandbox: Sandbox, jobs: DefinedJob[], env: Record<string, string> = {}) {
  const { redisUrl: REDIS_URL, prefix: SPILLWAY_PREFIX, folder } = sandbox;
  const config = readConfig({ REDIS_URL, SPILLWAY_PREFIX, WORKER_STOP_MS: '0', ...env });
  const logger = createLogger('test', { logLevel: 'silent', logFormat: 'json' });
  const worker = await startWorker({ jobs, files: openFileStore({ location: folder }), config, logger });
  sandbox.defer(() => worker.stop());
  return worker;
}

test('a worker that is ready has published its types, is on the list and runs jobs; a stopped one is off it', async () => {
  await using sandbox = await openSandbox();
  const redis = await sandbox.connect();
  const { prefix } = sandbox;
  const registry = createRegistry({ redis, prefix });
  const producer = createProducer({ redis, prefix, onError: () => undefined });
  sandbox.defer(() => producer.close());
  const reader = createReader({ redis, prefix });

  const worker = await start(sandbox, [DOUBLE, ECHO]);
  const [type, ...others] = await registry.types();
  expect([type, ...others].map((published) => published?.type)).toEqual(['test.double', 'test.echo']);
  expect(await registry.workers()).toMatchObject([
    {
      id: worker.id,
      pid: process.pid,
      queues: ['default', 'numbers'],
      types: ['test.double', 'test.echo'],
      running: 0,
    },
  ]);

  const { id } = await producer.submit({ type: type!, input: {} });
  const job = await until('the end', async () => (await reader.job(id)).finishedAt && reader.job(id));
  expect(job).toMatchObject({ state: 'completed', result: { doubled: 8 }, worker: worker.id });

  await worker.stop();
  await worker.stop();
  expect(await registry.workers()).toEqual([]);
  expect(await registry.types()).toHaveLength(2);
});

test.each<[string, Record<string, string>, DefinedJob[], Record<string, number>]>([
  ['all of its types', { WORKER_CONCURRENCY: '3' }, [DOUBLE, ECHO], { default: 3, numbers: 3 }],
  ['those it is told', { WORKER_QUEUES: 'numbers' }, [DOUBLE, ECHO], { numbers: 10 }],
  [
    'those it is told, each with a number',
    { WORKER_QUEUES: 'numbers:2,default:7' },
    [DOUBLE, ECHO],
    { numbers: 2, default: 7 },
  ],
  ['what the most modest type allows', {}, [DOUBLE, ONE_AT_A_TIME, ECHO], { default: 10, numbers: 1 }],
  ['more than a type allows where it is told', { WORKER_QUEUES: 'numbers:5' }, [ONE_AT_A_TIME], { numbers: 5 }],
])('a worker serves the queues of %s', async (_which, env, jobs, concurrency) => {
  await using sandbox = await openSandbox();
  await start(sandbox, jobs, env);
  const [worker] = await createRegistry({ redis: await sandbox.connect(), prefix: sandbox.prefix }).workers();
  expect(worker).toMatchObject({ concurrency });
});

test.each([
  ['numbers,letters', 'WORKER_QUEUES: expected queues of the loaded types (default, numbers), got letters'],
  ['numbers:0', 'WORKER_QUEUES: expected <queue> or <queue>:<1 to 1000>, got "numbers:0"'],
  ['numbers:2:3', 'WORKER_QUEUES: expected <queue> or <queue>:<1 to 1000>, got "numbers:2:3"'],
  ['numbers:many', 'WORKER_QUEUES: expected <queue> or <queue>:<1 to 1000>, got "numbers:many"'],
])('WORKER_QUEUES=%s is refused', async (queues, message) => {
  await using sandbox = await openSandbox();
  const starting = start(sandbox, [DOUBLE, ECHO], { WORKER_QUEUES: queues });
  await expect(starting).rejects.toThrow(ConfigError);
  await expect(starting).rejects.toThrow(message);
});
