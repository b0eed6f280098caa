import { openFileStore } from '@spillway/files';
import { createProducer } from '@spillway/queue/producer';
import { createReader } from '@spillway/queue/reader';
import { createRegistry } from '@spillway/queue/registry';
import { createLogger, readConfig } from '@spillway/runtime';
import { openSandbox, type Sandbox, until } from '@spillway/testkit';
import { startWorker } from '../src/host.ts';
import * as isolated from './fixtures/isolated.mjs';
import { loadedFrom } from './isolates.ts';

/** Short enough to run out several times in a test, long enough for a busy machine to renew it in time. */
const LEASE_MS = 2000;

async function open(sandbox: Sandbox) {
  const { redisUrl: REDIS_URL, prefix, folder } = sandbox;
  const redis = await sandbox.connect();
  const config = readConfig({ REDIS_URL, SPILLWAY_PREFIX: prefix, WORKER_STOP_MS: '0', SPILLWAY_LOG_LEVEL: 'silent' });
  const worker = await startWorker({
    jobs: loadedFrom('isolated.mjs', isolated),
    files: openFileStore({ location: folder }),
    config,
    logger: createLogger('test', config),
    leaseMs: LEASE_MS,
  });
  sandbox.defer(() => worker.stop());
  const producer = createProducer({ redis, prefix, onError: () => undefined });
  sandbox.defer(() => producer.close());
  const reader = createReader({ redis, prefix });
  const types = await createRegistry({ redis, prefix }).types();
  return {
    async submit(type: string, input: object) {
      const { id } = await producer.submit({ type: types.find((known) => known.type === type)!, input });
      return id;
    },
    end: (id: string) =>
      until(`the end of ${id}`, async () => (await reader.job(id)).finishedAt && reader.job(id), 60_000),
    job: (id: string) => reader.job(id),
  };
}

test.each([['test.thread'], ['test.process']])(
  'a handler of %s that burns through several leases keeps its own, and others run beside it',
  async (type) => {
    await using sandbox = await openSandbox();
    const { submit, end, job } = await open(sandbox);
    const burning = await submit(type, { act: 'burn', ms: 3 * LEASE_MS });
    await until('the fire', async () => (await job(burning)).progress);

    const beside = await submit('test.inline', { act: 'whoami' });
    expect(await end(beside)).toMatchObject({ state: 'completed', result: { pid: process.pid } });
    expect(await job(burning)).toMatchObject({ state: 'active' });

    expect(await end(burning)).toMatchObject({ state: 'completed', attempt: 1, result: 'burnt' });
  },
  90_000,
);
